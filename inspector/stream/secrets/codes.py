"""Codes that let somebody in once: `your login code is 918-273`, `enter the code WDJB-MJHT`, `PIN: 4432`."""

import re
from collections.abc import Callable, Iterable, Iterator

from inspector.stream.lazy_pattern import lazy

from .found import Span, ends, holds_any

_CODE = (
    r"((?=[A-Z -]{0,24}\d)[A-Z0-9]{2,6}(?:-[A-Z0-9]{3,6}){1,8}"
    r"|(?=[A-Z ]{0,24}\d)[A-Z0-9]{4}(?: [A-Z0-9]{4}){2,8}"
    r"|(?:[A-Z]{1,3}-)?(?:\d{2,5}(?:[ -]\d{2,5}){1,4}|\d{4,12})"
    r"|(?=[A-Z-]{0,24}\d|[A-Z]{4}-[A-Z]{4})[A-Z0-9]{4,12}(?:-[A-Z0-9]{2,12}){0,11}"
    r"|(?=[a-z-]{0,24}\d)[a-z0-9]{4,12}(?:-[a-z0-9]{4,12}){1,11}|(?=[a-z]{0,12}\d)(?=\d{0,12}[a-z])[a-z0-9]{5,12}"
    r"|(?=[A-Za-z-]{0,24}\d)[A-Za-z0-9]{4,12}(?:-[A-Za-z0-9]{4,12}){1,11})"
    r"(?![\w/%-]|[.:]\w)"
)
"""Digits, in groups or not, or letters of one size with digits in them."""
_BEHIND = lazy(
    r"(?:e?s)?(?: code| number)?(?: (?:set|changed|sent))?"
    r"(?: (?:for|of|de|des|der|del|du) \S{1,64}?(?: \w{1,16}){0,3}?)?[\"']?"
    r"(?:\s{0,3}[:=#]\s{0,3}|,?\s(?:is|was|now|ist|est|es|lautet|set to):?\s{1,3})[\"'(]?" + _CODE
)
_DIRECTLY = lazy(
    rf"(?: code)?\s{{1,3}}[\"'(]?{_CODE}(?=[\"').,;!]|$|\s(?:accepted|displayed|sent|for|is|to|at|expired|invalid|"
    r"wrong|rejected|confirmed|ok|failed|from|was|does|entered|used|activated)\b)"
)
"""Without a sign between: `pin 1048576 bytes of memory` is no code."""
_BEFORE_CODE = lazy(
    r"(?:verification|recovery|backup|one[- ]?time|log-?in|sign-?in|security|pairing|activation|auth\w{0,12}|access|"
    r"device|user|guard|confirmation|set-?up|invit\w{1,5}|scratch|reset|unlock|2fa|mfa|sms|t?otp|pin|emergency|"
    r"\b(?:gate|door|alarm|safe|lock|garage|wi-?fi|kit)|registration|redeem|gift|licen[sc]e|serial|product|coupon|"
    r"\b(?:enter|use|type|your)(?: the| this)?|"
    r"best[aä]tigungs|freischalt|sicherheits|zugangs|einmal|anmelde)[ _-]?$"
)
_BEFORE_KEY = lazy(r"(?:licen[sc]e|serial|product|activation) $")
_BEGINS_WORD = lazy(r"(?:^|[^a-z0-9./])$")
_GIVEN = lazy(
    rf"(?<![\w./:-]){_CODE} (?:is|ist|est|es) (?:your|the|ihr|dein|votre|su|tu)\b[^\n]{{0,60}}?"
    r"(?:code|pin|tan|passw|otp)"
)
"""`G-482910 is your verification code`."""
_TO_ENTER = lazy(
    rf"\b(?:use|enter|type|text|with|is)(?: code)? {_CODE} (?:to|for) "
    r"(?:sign|log|verif|authent|confirm|activat|unlock|pair|join|finish)",
    re.IGNORECASE,
)
"""`use 918-273 to sign in`."""
_SEED = lazy(
    r"\b(?:seed|t?otp|hotp|mfa|2fa|authenticator)\b(?:\W{1,3}[a-z]{2,12}){0,3}\W{1,3}([A-Z2-7]{16,128})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""What codes are counted from, in base 32."""
_NAMES: dict[str, dict[str, Callable[[], re.Pattern[str]]]] = {
    "code": {"code": _BEFORE_CODE},
    "pin": {"pin": _BEGINS_WORD},
    "otp": {"otp": _BEGINS_WORD},
    "fa ": {"mfa": _BEGINS_WORD, "2fa": _BEGINS_WORD},
    "puk": {"puk": _BEGINS_WORD},
    "passkey": {"passkey": _BEGINS_WORD},
    "digo": {"código": _BEGINS_WORD, "codigo": _BEGINS_WORD},
    "tan ": {"tan": _BEGINS_WORD},
    "tan: ": {"tan": _BEGINS_WORD},
    "passwor": {},
    "验证码": {"验证码": _BEGINS_WORD},
    "驗證碼": {"驗證碼": _BEGINS_WORD},
    "認証コード": {"認証コード": _BEGINS_WORD},
    "暗証番号": {"暗証番号": _BEGINS_WORD},
    "인증": {"인증번호": _BEGINS_WORD, "인증 코드": _BEGINS_WORD},
    "код": {"код": _BEGINS_WORD},
}
"""What names a code, behind a part of it, and what has to stand before it: an `error code` lets nobody in."""
_PARTS = ("code", "pin", "otp", "fa ", "puk", "digo", "tan ", "tan: ", "licen", "activation",
          "验证码", "驗證碼", "認証コード", "暗証番号", "인증", "код")  # fmt: skip
"""One of these is there, where no other name of a secret is."""
NAMED_TRIGGERS = ("passwor", "passkey", "serial", "product")
_OF_PRODUCTS = ("licen", "serial", "product", "activation")
_OF_SEEDS = ("seed", "otp", "fa ", "fa:", "fa=", "authenticator")
_PURPOSES = (
    "to sign",
    "to log",
    "to verif",
    "to authent",
    "to confirm",
    "to activat",
    "to unlock",
    "to pair",
    "to join",
)
TRIGGERS = (*_PARTS, *_PURPOSES, "seed", "authenticator")
"""One of these is there, or one of `NAMED_TRIGGERS` beside another name of a secret."""
_WINDOW = 24


def spans(text: str, small: str, named: bool) -> Iterable[Span]:
    """Where they lie; `small` is the text in lower case."""
    told = holds_any(small, TRIGGERS) or (named and holds_any(small, NAMED_TRIGGERS))
    return _spans(text, small) if told else ()


def _spans(text: str, small: str) -> Iterator[Span]:
    for part, names in _NAMES.items():
        if part in small:
            for word, before in names.items():
                for end in ends(small, word):
                    yield from _behind(text, small, (end - len(word), end), before)
            if " is your " in small or " ist ihr " in small or " est votre " in small:
                for match in _GIVEN().finditer(text):
                    yield match.span(1)
    if holds_any(small, _OF_SEEDS):
        yield from (match.span(1) for match in _SEED().finditer(text) if match[1].isupper())
    if " to " in small:
        yield from (match.span(1) for match in _TO_ENTER().finditer(text))
    if " key" in small or "licen" in small or "activation" in small:
        yield from _of_products(text, small)


def _of_products(text: str, small: str) -> Iterator[Span]:
    """Keys of licences and what activates them."""
    for end in ends(small, " key") if holds_any(small, _OF_PRODUCTS) else ():
        yield from _behind(text, small, (end - len("key"), end), _BEFORE_KEY)
    for word in ("activation", "license", "licence"):
        for end in ends(small, word):
            match = _BEHIND().match(text, end)
            if match is not None and "-" in match[1] and not match[1].replace("-", "").isdigit():
                yield match.span(1)


def _behind(text: str, small: str, word: Span, before: Callable[[], re.Pattern[str]]) -> Iterator[Span]:
    """The code behind a word, if what stands before makes it one of a person's."""
    begin, end = word
    match = _BEHIND().match(text, end) or _DIRECTLY().match(text, end)
    if match is not None and before().search(small[max(0, begin - _WINDOW) : begin]) is not None:
        yield match.span(1)
