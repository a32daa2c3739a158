"""C++ names as a person writes them, by the demangler of the collector's own C++ library where there is one."""

import ctypes
import re
from functools import cache
from typing import Final

_LONGEST: Final = 2000
_REFERENCE: Final = re.compile(rb"[ST][0-9A-Z]{0,4}_")
_MOST_REFERENCES: Final = 32
"""Back references multiply the output: a short hostile name can ask for terabytes, one with few of them cannot."""


class _Demangler:
    """`__cxa_demangle` of libstdc++ (Itanium C++ ABI, cxxabi.h)."""

    def __init__(self) -> None:
        library = ctypes.CDLL("libstdc++.so.6")
        self._demangle = library["__cxa_demangle"]
        self._demangle.restype = ctypes.c_void_p
        self._demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = [ctypes.c_void_p]

    def __call__(self, name: bytes) -> bytes:
        status = ctypes.c_int()
        pointer: int | None = self._demangle(name, None, None, ctypes.byref(status))
        if not pointer:
            return b""
        try:
            return ctypes.string_at(pointer)
        finally:
            self._free(pointer)


@cache
def _demangler() -> _Demangler | None:
    try:
        return _Demangler()
    except (OSError, AttributeError):
        return None


def demangle(name: bytes) -> bytes:
    """The C++ name behind a mangled one; empty when it is none or there is no demangler."""
    if not name.startswith(b"_Z") or len(name) > _LONGEST or b"\0" in name:
        return b""
    if len(_REFERENCE.findall(name)) > _MOST_REFERENCES:
        return b""
    demangler = _demangler()
    return demangler(name) if demangler else b""
