"""Mutants of bytes: what breaks readers is cut, doubled, overwritten with limits, or taken from elsewhere in it."""

import random

_NUMBERS = (
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff" * 8, b"\x00" * 8,
    b"\x00\x00\x00\x80", b"\xfe\xff\xff\xff\xff\xff\xff\x7f", b"-1", b"0", b"99999999999999999999",
    b"-9223372036854775808", b"9223372036854775807", b"1e308", b"1e-400", b"1" * 5000,
)  # fmt: skip
_TEXTS = (
    b"null", b"true", b'""', b"[]", b"{}", b"\xc3\x28", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\n", b'"', b"\\",
    b"[" * 200, b'{"a":' * 200, b"\x1b]52;c;YQ==\x07", b"A" * 5000, b".*" * 30, b"(a+)+$",
)  # fmt: skip
_LIMITS = _NUMBERS + _TEXTS
_MOST_CHANGES = 6


def mutant(whole: bytes, chance: random.Random) -> bytes:
    """A changed copy."""
    raw = bytearray(whole)
    for _ in range(chance.randint(1, _MOST_CHANGES)):
        if not raw:
            break
        at = _position(len(raw), chance)
        length = min(chance.choice((1, 1, 2, 4, 8, 16, 64, 1024)), len(raw) - at)
        match chance.randrange(7):
            case 0:
                raw[at] ^= 1 << chance.randrange(8)
            case 1:
                raw[at : at + length] = chance.randbytes(length)
            case 2:
                limit = chance.choice(_LIMITS)
                raw[at : at + (len(limit) if chance.random() < 0.7 else 0)] = limit
            case 3:
                del raw[at : at + length]
            case 4:
                raw[at:at] = raw[at : at + length] * chance.choice((1, 1, 2, 50))
            case 5:
                other = chance.randrange(len(raw))
                raw[at : at + length] = raw[other : other + length]
            case _:
                if chance.random() < 0.2:
                    del raw[at:]
    return bytes(raw)


def _position(size: int, chance: random.Random) -> int:
    """Headers lie in front: half of the changes go there."""
    return chance.randrange(min(size, chance.choice((64, 512, 4096, size, size))))
