"""Who asked, in the user's own words: the call stack that belongs to an attempt, as `train.py:14 in main`."""

import re
from collections.abc import Iterable

from inspector.stream.c_library import answers_lookups
from inspector.stream.stacks import CodeFrame, SourceFrame, StackTaken
from inspector.stream.text import visible

from .attempts.row import Attempt
from .formatting import name_of
from .state import Process

_OF_OTHERS = re.compile(r"^<|/lib(64)?/python\d|/(site|dist)-packages/")
"""Code of Python and of packages; of what stands above it the user has heard."""
_CARRIER = re.compile(r"^(lib(c|dl|pthread|ffi|stdc\+\+)[.-]|ld-)")
"""Libraries that only pass a call on."""
_LOADER = re.compile(r"^ld-(linux|musl)")
LOADS = frozenset(("dlopen", "dlmopen", "__libc_dlopen_mode"))
"""Functions of C libraries by which libraries are loaded (dlopen(3))."""
_MOST_NAMED = 4


def stack_of(attempt: Attempt) -> StackTaken | None:
    """The stack that was copied in the very call, load or signal; None when there is none."""
    for stack in attempt.process.stacks:
        if _belongs(stack, attempt):
            return stack
    return None


def _belongs(stack: StackTaken, attempt: Attempt) -> bool:
    if attempt.source == "memory" and attempt.kind == "call":
        return stack.occasion == "waiting" and stack.tid == attempt.tid
    if attempt.signal is not None:
        return stack.occasion == "signal" and (stack.tid, stack.moment) == (attempt.signal.tid, attempt.signal.at)
    if attempt.lookup is not None:
        looked_up = stack.occasion in ("load", "lookup")
        return looked_up and (stack.tid, stack.moment) == (attempt.lookup.tid, attempt.lookup.entered)
    if attempt.calls is None or attempt.calls.function.id != stack.function or not attempt.begin:
        return False
    return (stack.tid, stack.moment) == (attempt.tid, attempt.begin)


def waiting(process: Process, tid: int, since: int = 0) -> StackTaken | None:
    """The newest stack of a thread that was seen not to get on, taken after a moment."""
    found = [
        one for one in process.stacks if one.occasion == "waiting" and one.tid == tid and one.at >= since
    ]  # fmt: skip
    return found[-1] if found else None


def in_loader(frame: CodeFrame) -> bool:
    """Whether a frame is code of the dynamic loader: below it nobody but a load has any."""
    return _LOADER.match(name_of(frame.path)) is not None or (frame.symbol in LOADS and answers_lookups(frame.path))


def innermost_code(process: Process, tid: int) -> str:
    """`setup of libcuda.so.1`: where a thread is that does not get on, outside of the C library; empty when unknown."""
    stack = waiting(process, tid)
    frames = stack.native if stack is not None else ()
    inner = next((one for one in frames if one.path != "?" and not _CARRIER.match(name_of(one.path))), None)
    if inner is None or ".so" not in name_of(inner.path):
        return ""
    return f"{inner.symbol} of {name_of(inner.path)}" if inner.symbol else name_of(inner.path)


def asked_from(stack: StackTaken) -> str:
    """`train.py:14 in main`: the innermost place in the user's own code, else the innermost at all; empty: unknown."""
    own = next((frame for frame in stack.source if not _OF_OTHERS.search(frame.file)), None)
    if own is None and stack.source:
        own = stack.source[0]
    if own is not None:
        return visible(_location(own, name_of(own.file)))
    code = next((frame for frame in stack.native if not _CARRIER.match(name_of(frame.path))), None)
    return visible(_code(code, name_of(code.path))) if code is not None and code.path != "?" else ""


def behind_carriers(stack: StackTaken) -> CodeFrame | None:
    """The innermost frame of code that does more than pass a call on: who called abort(3), say."""
    if not stack.native or not _CARRIER.match(name_of(stack.native[0].path)):
        return None
    known = (frame for frame in stack.native if not _CARRIER.match(name_of(frame.path)))
    found = next(known, None)
    return found if found is not None and found.path not in ("", "?") else None


def callers(stack: StackTaken) -> str:
    """`ask (train.py:6) <- main (train.py:15) <- ...`, the innermost first, of the user's own code if there is any."""
    own = [frame for frame in stack.source if not _OF_OTHERS.search(frame.file)] or stack.source
    if own:
        return _joined(_location(frame, name_of(frame.file)) for frame in own)
    return _joined(_code(frame, name_of(frame.path)) for frame in stack.native)


def lines(stack: StackTaken) -> list[str]:
    """Every frame, the innermost first, and where it is known no further."""
    told = [_location(frame, frame.file) for frame in stack.source]
    if stack.source_end:
        told.append(f"Python: {stack.source_end}")
    told += [_code(frame, frame.path) for frame in stack.native]
    if stack.native_end:
        told.append(f"no further: {stack.native_end}")
    return [visible(line) for line in told]


def _joined(places: Iterable[str]) -> str:
    told = list(places)
    more = " <- ..." if len(told) > _MOST_NAMED else ""
    return visible(" <- ".join(told[:_MOST_NAMED]) + more)


def _location(frame: SourceFrame, file: str) -> str:
    line = f":{frame.line}" if frame.line is not None else ""
    return f"{file}{line}{f' in {frame.function}' if frame.function else ''}"


def _code(frame: CodeFrame, file: str) -> str:
    if not frame.symbol:
        return f"{file}+{frame.offset:#x}" if frame.offset else file
    return f"{frame.symbol}+{frame.offset:#x} in {file}"
