"""Names whose values are settings of programs, or what messages tell of: their values are shown as they are."""

from functools import lru_cache

from .known import known
from .naming import words_of

_ENDS = ("dir", "path", "file", "name", "size", "type", "mode", "host", "port", "through", "format", "version", "count")
"""Ends of names in one word: `-dumpdir`."""
_SHORT = 3
_LONGEST = 128
"""Characters of a name that is kept in mind."""


def is_setting(name: str) -> bool:
    """Whether a name is one of a setting (`--kv-cache-dtype`), of this field (`NCCL_…`) or of an identifier."""
    return _is_setting(name) if len(name) <= _LONGEST else _is_setting.__wrapped__(name)


@lru_cache(4096)
def _is_setting(name: str) -> bool:
    whole = words_of(name)
    words = [word.rstrip("0123456789") for word in whole]
    told = [word for word in words if len(word) > 1] or words
    if not told:
        return False
    last = told[-1]
    return (
        last in known().settings
        or (len(last) > _SHORT and last.removesuffix("s") in known().settings)
        or last.endswith(_ENDS)
        or whole[-1] in known().digests
        or told[0] in known().families
    )
