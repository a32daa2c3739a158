"""Random events: every field of every kind, small pids so that events meet, hostile and plain text."""

from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from inspector.stream.base import Event
from inspector.stream.events import AnyEvent

_SMALL = ("pid", "ppid", "function", "source", "file", "path", "base", "library", "caller", "requester", "id")
_WORDS = [
    "", "libcuda.so.1", "/a/libcuda.so.1", "/b/x", "cuInit", "cuDeviceGetCount", "cudaMalloc", "LD_PRELOAD", "1:2:3",
    "CUDA_VISIBLE_DEVICES", "undefined symbol: cuInit", "cannot open shared object file: No such file", "-1", "ollama",
    'msg="inference compute" library=cpu', "Listening on x (version 1)", "\x1b[31m[red]",
]  # fmt: skip
_TEXT = st.sampled_from(_WORDS) | st.text(max_size=8)


@cache
def _of(hint: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return struct(hint)
    if origin in (Union, UnionType):
        return st.one_of(*[_of(argument) for argument in arguments])
    if origin is list:
        return st.lists(_of(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(_of(arguments[0]), _of(arguments[1]), max_size=3)
    if hint is str:
        return _TEXT
    if hint is int:
        return st.integers(-2, 4) | st.integers(-(2**63), 2**63 - 1)
    return st.from_type(hint)


@cache
def struct(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any value of a struct."""
    hints = {info.name: info.type for info in msgspec.structs.fields(kind)}
    fields = {
        name: st.integers(0, 3) if name in _SMALL and hint is int else _of(hint)
        for name, hint in hints.items()
        if not (name == "at" and issubclass(kind, Event))
    }
    if issubclass(kind, Event):
        fields["at"] = st.integers(0, 50) | st.integers(0, 2**62)
    return st.builds(kind, **fields)


def events() -> st.SearchStrategy[Event]:
    """Any event of the stream."""
    return st.one_of(*[struct(kind) for kind in AnyEvent.__args__])
