"""What is kept below a word that names a secret: `"credentials": {"value": "X"}`, `secrets=[X]`, `Secret { id: X }`."""

from collections.abc import Callable, Iterator

from inspector.stream.lazy_pattern import lazy

from .found import Span

_OPENS = lazy(
    r"[\w.-]{0,40}(?:\\{0,2}[\"'\]]){0,2}\s{0,9}(?:=>|:=|==?|:)\s{0,9}\\?[\"']?&?"
    r"(?P<open>[{\[(]|(?:map|\[\][\w.*]{1,40})[{\[]|[\w.:]{1,60}\s?[{(])"
    r"|\w{0,40}\s?(?P<made>\{)|\w{0,40}(?P<called>\()(?=\w{1,40}=)"
)
_BRACKET = lazy(r"[{}\[\]()]")
_SCALAR = lazy(
    r"\\{1,3}[\"']([^\"'\\]{1,1024})\\{1,3}[\"']|\"((?:[^\"\\]|\\.){1,1024})\"|'((?:[^'\\]|\\.){1,1024})'|`([^`]{1,1024})`"
    r"|([^\s\"'`,;:=<>{}()\[\]\\&*|][^\s\"'`,;:=<>{}()\[\]\\]{0,1023})"
)
_NAMES = lazy(r"\s{0,9}(?:=>|:=|[:=(\[{])")
"""Behind a scalar that is no value: a key, or what a bracket is called."""
_REACH = 4096
"""Characters of a container that are looked at."""


def inside(text: str, end: int) -> Span | None:
    """What stands within the brackets that open behind a word which ends there."""
    match = _OPENS().match(text, end)
    if match is None:
        return None
    depth = 0
    begin = match.end(match.lastgroup or 0)
    for bracket in _BRACKET().finditer(text, begin - 1, begin + _REACH):
        depth += 1 if bracket[0] in "{[(" else -1
        if depth <= 0:
            return begin, bracket.start()
    return begin, min(len(text), begin + _REACH)


def values(text: str, within: Span, judge: Callable[[str], bool]) -> Iterator[Span]:
    """The values between two places, without their keys."""
    for match in _SCALAR().finditer(text, *within):
        assert match.lastindex is not None
        if _NAMES().match(text, match.end(), within[1]) is None and judge(match[match.lastindex]):
            yield match.span(match.lastindex)
