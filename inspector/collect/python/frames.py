"""Frames of CPython as people know them: file, line and function, from what the kernel copied at the moment itself."""

from collections.abc import Iterable
from typing import Final

from inspector.stream.stacks import SourceFrame
from inspector.stream.text import decode

from ..kernel.records import InterpreterFrame, Text
from .layouts import Layout
from .line_table import line_of

_ASCII: Final = 1 << 6
_CODECS: Final = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}
_OWNED_BY_INTERPRETER: Final = 3
"""FRAME_OWNED_BY_INTERPRETER and _CSTACK, in 3.12 and 3.13 FRAME_OWNED_BY_CSTACK: no frame of a function."""


def source_frames(frames: Iterable[InterpreterFrame], layout: Layout) -> list[SourceFrame]:
    """The innermost first; what has no code of its own is left out."""
    has_owner = layout.version > (3, 10)
    return [
        SourceFrame(file=text_of(frame.file), line=line_in(frame, layout), function=text_of(frame.name))
        for frame in frames
        if not (has_owner and frame.owner >= _OWNED_BY_INTERPRETER)
    ]


def text_of(text: Text) -> str:
    """A string of CPython; of a long one the end, behind `...`."""
    length, state, raw = text
    width = state >> 2 & 7
    codec = "ascii" if state & _ASCII else _CODECS.get(width, "")
    if not codec:
        return ""
    whole = length * width <= len(raw)
    words = decode(raw[: min(length * width, len(raw))].decode(codec, "replace").encode("utf-8", "surrogateescape"))
    return words if whole else f"...{words}"


def line_in(frame: InterpreterFrame, layout: Layout) -> int | None:
    """The line that a frame is in; None where the table was not copied so far, or has no line for the instruction."""
    pairs = layout.version == (3, 10)
    begin = frame.code + layout.code
    offset = (frame.instruction & 0xFFFFFFFF) * 2 if pairs else frame.instruction - begin
    if not 0 <= offset < 1 << 31:
        return None
    return line_of(frame.table, frame.first_line, offset, pairs=pairs)
