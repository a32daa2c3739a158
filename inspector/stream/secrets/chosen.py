"""Passwords as people and their tools make them, told by their shape where nothing beside them tells.

Asked only of what stands behind an option that is the password's in many programs and a port, a prompt or a process in
others (`-p`). So ports, ranges, paths, names of models and processors, prompts and plain words are none.
How much has to speak for it depends on what stands beside: `could_be_chosen` where the place is that of a password
nearly for sure, `looks_chosen` where it may be, `looks_drawn` where nothing but the value tells.
"""

import re
from functools import lru_cache

from inspector.stream.lazy_pattern import lazy

from .drawn import chance
from .opaque import UUID, is_opaque

_LEAST, _MOST = 6, 256
_NO_PASSWORD = lazy(
    r"[\d.:,x*-]+(?:/(?:tcp|udp|sctp))?"  # numbers, ports, ranges, addresses, `8080:80/tcp`
    r"|[^@]*/.*"  # paths, addresses
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # mail
    r"|\$\w+|\$\{.*|%.*|[~*?.-].*|.*\.(?:so|gguf|json|ya?ml|toml|py|sh|txt|log|conf|cfg|safetensors|bin|onnx)"
)
_NO_LOGIN = lazy(
    r"\w+=\w*|.*:\d{1,5}(?:/\w{3,4})?|v?\d+(?:\.\d+)+\w{0,4}|(?:[\w-]+\.)+[a-z]{2,6}|\$.*|.*[\[\](){}<>\"'].*"
)
"""Settings, ports of hosts and versions."""
_OF_PEOPLE = lazy(
    r"secret|passw|p[a4@]ss?w|pa55|s3cr|letmein|changeme|hunter\d|qwert|geheim|iloveyou|trustno|opensesame|welcome\d|"
    r"testing\d{2}|(?:spring|summer|autumn|winter|sommer|herbst|fr[uü]hling)(?:19|20)\d\d|(?:hello|admin|root|dragon|monkey)\d{3}",
    re.IGNORECASE,
)
"""What people write into passwords."""
_OF_MANY = lazy(
    r"(?:p[a4@]ss?w[o0]rd|pa55w[o0]rd|s3cret|secret|letmein|changeme|hunter|qwerty?|qwertz|geheim|iloveyou|trustno|welcome|"
    r"testing|hello|admin|dragon|monkey|summer|winter|spring|autumn|sommer|herbst)\d{1,4}",
    re.IGNORECASE,
)
"""The words that lists of stolen passwords begin with, with the numbers that people put behind them."""
_SIGN_OF_MANY = lazy(r"[!#^]")
_NUMBERED = lazy(r"[A-Za-z]+#\d+|.*#L\d+")
"""`Issue#12`, a line of a file."""
_LONGEST_CHOSEN = 64
_SIGN = lazy(r"(?<=\w)[!#^&$@]|[!#^&$@](?=\w)|(?<=[A-Za-z])[*%](?=[A-Za-z])")
"""What words, numbers and names of this field do not hold."""
_BETWEEN = lazy(r"[-._:,=+/]+")
_PIECE = lazy(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LEAST_PIECES, _LEAST_LENGTH = 5, 8
_LONGEST_PIECE = 3
_SIGNED = lazy(r"(?=\w{1,64}[!#^&$])[\w!#^&$*%@]{8,64}")
"""A sign at the beginning is one of NCCL's lists: `^docker0`."""
_LEAST_DRAWN, _LEAST_CHANCE = 10, 7
_MADE_BY_TOOLS = lazy(
    r"_*Z|\d{8}T\d{6}|0[xX]|(?:[0-9a-f]+|[0-9A-F]+)$|(?:I?L[a-z]{1,2}\d+E|[A-Z][a-z]?\d{1,3}[A-Z]?){3}"
)
"""Mangled names, times, numbers, formulas of tiles and layouts (`M16N8K16`)."""
_TURNS = 0.4
"""Turns from letters to digits or to capitals for each character: `gfx90a` and `h264mp4toannexb` have less."""


def looks_chosen(value: str) -> bool:
    """Whether a value is a password by its shape."""
    if not _LEAST <= len(value) <= _MOST or any(map(str.isspace, value)) or _NO_PASSWORD().fullmatch(value):
        return False
    letters = any(map(str.isalpha, value))
    signs = len(_SIGN().findall(value))
    if signs and letters and (any(map(str.isdigit, value)) or signs > 1):
        return True
    if value.isalnum() and not (value.islower() and value.isalpha()) and _OF_PEOPLE().search(value):
        return True
    return any(map(_is_mixed, _BETWEEN().split(UUID().sub("", value)))) or is_opaque(value)


def _is_mixed(part: str) -> bool:
    pieces = len(_PIECE().findall(part))
    return len(part) >= _LEAST_LENGTH and pieces >= _LEAST_PIECES and pieces - 1 >= _TURNS * len(part)


def could_be_chosen(value: str) -> bool:
    """Whether a value that stands where a password does can be one: letters and digits or signs, and no known thing."""
    if not _LEAST <= len(value) <= _MOST or any(map(str.isspace, value)) or _NO_PASSWORD().fullmatch(value):
        return False
    rest = UUID().sub("", value)
    if len(rest) < _LEAST or _NO_LOGIN().fullmatch(value):
        return False
    return any(map(str.isalpha, rest)) and (
        any(map(str.isdigit, rest)) or _SIGN().search(rest) is not None or _changes_size(rest)
    )


def _changes_size(word: str) -> bool:
    """Whether capitals stand in a word as no person puts them: `fwpRgiBnUztp`."""
    return not word.islower() and word.isalnum() and len(_PIECE().findall(word)) * _LONGEST_PIECE >= len(word)


def has_signs(value: str) -> bool:
    """Whether a value, of which nothing is known, has letters, digits and signs as passwords have and nothing else."""
    return (
        any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and _SIGNED().fullmatch(value) is not None
        and not _NO_PASSWORD().fullmatch(value)
    )


def is_made_up(word: str) -> bool:
    """Whether a word of a line has letters of both sizes, digits and signs in one another, as only passwords have."""
    signs = len(_SIGN_OF_MANY().findall(word.rstrip("!")))
    kinds = (str.isupper, str.islower, str.isdigit)
    return signs > 0 and all(any(map(kind, word)) for kind in kinds) and _NUMBERED().fullmatch(word) is None


@lru_cache(4096)
def is_plainly_chosen(word: str) -> bool:
    """Whether a bare word, of which nothing is known, is a password: it has signs in it, or many people take it."""
    if not _LEAST <= len(word) <= _LONGEST_CHOSEN or word.isalpha() or word[0] in "-/.":
        return False
    return has_signs(word) or (word.isalnum() and _OF_MANY().fullmatch(word) is not None)


def looks_drawn(value: str) -> bool:
    """Whether a short value is letters of both sizes and digits in no order, and no number, kernel or mangled name."""
    if not _LEAST_DRAWN <= len(value) <= _MOST or value.islower() or value.isupper() or not value.isalnum():
        return False
    return any(map(str.isdigit, value)) and _MADE_BY_TOOLS().match(value) is None and chance(value) > _LEAST_CHANCE
