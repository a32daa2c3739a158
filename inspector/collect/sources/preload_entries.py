"""The entries of LD_PRELOAD, LD_AUDIT and /etc/ld.so.preload, as ld.so(8) parts them."""

import re

_LIST_SEPARATORS = re.compile(rb"[ :]+")
_FILE_SEPARATORS = re.compile(rb"[ :\t\n]+")


def list_entries(value: bytes) -> list[bytes]:
    """Entries of LD_PRELOAD or LD_AUDIT: separated by spaces or colons, no quoting."""
    return [entry for entry in _LIST_SEPARATORS.split(value) if entry]


def file_entries(content: bytes) -> list[bytes]:
    """Entries of /etc/ld.so.preload: separated by white space or colons, `#` begins a comment."""
    lines = (line.partition(b"#")[0] for line in content.splitlines())
    return [entry for line in lines for entry in _FILE_SEPARATORS.split(line) if entry]
