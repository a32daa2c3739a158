"""Which files are, by their names, the C library: it answers dlopen and dlsym."""

import re
from functools import lru_cache

_GLIBC = r"libc\.so(\.6)?|libdl\.so\.2|ld-linux[^/]*\.so\.\d|(libc|libdl|ld)-2\.\d+\.so"
"""Before 2.34 dlopen was in libdl, and the files had the version in their names."""
_NAMES = re.compile(rf"/({_GLIBC}|(ld-musl|libc\.musl)-[^/]*\.so\.1)$")


@lru_cache(1 << 14)
def answers_lookups(path: str) -> bool:
    """Whether a file is, by its name, a part of the C library or its loader (glibc or musl)."""
    return _NAMES.search(path) is not None
