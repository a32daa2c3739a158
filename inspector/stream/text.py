"""The one choke point for text that comes from a target: names, arguments, paths, log lines.

Such text is hostile: it may hold escape sequences, control bytes, bidirectional overrides or markup. `visible` turns
everything that a terminal could act on into a picture of it. The collector calls `decode` on bytes that it reads; every
side that shows or exports text calls `visible` again, because a recording or a remote stream is hostile as well.
Markup is never parsed: screens build plain text objects.
"""

import re

_PICTURES: dict[int, str] = {code: chr(0x2400 + code) for code in range(0x20)}
_PICTURES[0x09] = "    "
_PICTURES[0x7F] = "\u2421"
_PICTURES.update(dict.fromkeys(range(128, 160), "�"))
_PICTURES.update(dict.fromkeys(range(55296, 57344), "�"))
_PICTURES.update(dict.fromkeys((1564, 8206, 8207, 8232, 8233, *range(8234, 8239), *range(8294, 8298), 65279), "�"))
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_COLOUR = re.compile(rb"\x1b\[[0-9;:]{0,40}m")


def visible(text: str) -> str:
    """Replace every character that a terminal could act on by a picture of it; harmless text is returned as it is."""
    if text.isascii() and text.isprintable():
        return text
    if _UNSAFE.search(text) is None:
        return text
    return text.translate(_PICTURES)


def decode(raw: bytes) -> str:
    """Bytes of a target (a path, an argument, a name) as harmless text; undecodable bytes show as `\\xNN`."""
    return visible(raw.decode("utf-8", "backslashreplace"))


def decode_line(raw: bytes) -> str:
    """One log line as harmless text: colour sequences and NUL bytes go, all other control bytes become pictures."""
    return decode(_COLOUR.sub(b"", raw).replace(b"\0", b"").rstrip(b"\r\n"))
