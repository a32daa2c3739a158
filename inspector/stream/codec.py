"""Events as JSON lines and back, readable up to a torn last line."""

from collections.abc import Iterable, Iterator
from functools import cache

import msgspec

from .base import SCHEMA, Event
from .events import AnyEvent
from .session import SessionStarted

_ENCODER = msgspec.json.Encoder()
_HUGE = 1 << 70
_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")
_LONG, _POWER, _SIGNED_POWER = b"0" * 21, b"0e00", b"0e+00"
"""What the shape of a line with a huge number holds; to look for that costs a tenth of an expression."""
_REFUSALS = (msgspec.MsgspecError, RecursionError, ValueError)
"""Beside what does not fit: lists within lists without end, numbers of thousands of digits."""


class StreamError(Exception):
    """A line that is no event of this schema; the message says which line and why, in words for the user."""


class _Tag(msgspec.Struct):
    event: str = ""
    at: int = 0
    schema: int = 0


_TAG_DECODER = msgspec.json.Decoder(_Tag)


@cache
def _decoder() -> msgspec.json.Decoder[AnyEvent]:
    """Made when the first event comes: that takes longer than reading a thousand of them."""
    return msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """One event as one JSON line."""
    return _ENCODER.encode(event) + b"\n"


def decode(line: bytes) -> AnyEvent | None:
    """One line as an event; None for an event kind that this version does not know; StreamError when it is no event."""
    try:
        event = _decoder().decode(line)
    except _REFUSALS as error:
        _refuse_unless_unknown_kind(line, error)
        return None
    if _may_hold_huge(line) and _holds_huge(line):
        raise StreamError("damaged event (a number out of range)")
    return event


def _may_hold_huge(line: bytes) -> bool:
    """Whether it holds 21 digits in a row, or an exponent of two digits."""
    shape = line.translate(_SHAPE)
    return _LONG in shape or _POWER in shape or _SIGNED_POWER in shape


def _holds_huge(line: bytes) -> bool:
    try:
        return _is_huge(msgspec.json.decode(line))
    except _REFUSALS as error:  # in a field that this version does not know
        raise StreamError(f"damaged event ({error})") from None


def _is_huge(value: object) -> bool:
    """Whether a number is in it that no counter, address or clock can hold: sums of such break."""
    match value:
        case float() | int():
            return abs(value) > _HUGE
        case list():
            return any(map(_is_huge, value))
        case dict():
            return any(map(_is_huge, value.values()))
    return False


def _refuse_unless_unknown_kind(line: bytes, error: Exception) -> None:
    try:
        tag = _TAG_DECODER.decode(line)
    except _REFUSALS:
        raise StreamError(f"not a line of an inspector stream ({error})") from None
    known = any(struct.__struct_config__.tag == tag.event for struct in AnyEvent.__args__)
    if known or not tag.event:
        raise StreamError(f"damaged event ({error})") from None


def decode_all(lines: Iterable[bytes]) -> Iterator[AnyEvent]:
    """Events of a whole stream; a torn last line ends it quietly, a damaged one in the middle raises StreamError."""
    pending: StreamError | None = None
    for number, line in enumerate(lines, 1):
        if pending is not None:
            raise pending
        if not line.strip():
            continue
        try:
            event = decode(line)
        except StreamError as error:
            pending = StreamError(f"line {number}: {error}")
            continue
        if event is None:
            continue
        if isinstance(event, SessionStarted) and event.schema > SCHEMA:
            raise StreamError(
                f"the stream has schema {event.schema}, this inspector reads up to {SCHEMA}: update shim-inspector"
            )
        yield event
