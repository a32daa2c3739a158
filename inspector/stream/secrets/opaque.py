"""Long words that look random: what no person and no compiler would write.

The names of this field are long and odd as well (mangled symbols, GPU ids, digests, kernels, model files), and they
must stay. So a word is judged by how its letters follow each other (`drawn`), not by its entropy.
"""

import re

from inspector.stream.lazy_pattern import lazy

from .drawn import chance
from .known import known

_SEPARATORS = lazy(r"[^A-Za-z0-9]+")
_HEX = lazy(r"[0-9a-f]+|[0-9A-F]+")
UUID = lazy(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_MANGLED = lazy(r"_*Z[A-Z0-9]|N(?:K|St|S_)?\d|S[ta_]\d|[?$]|_R[A-Z]|__imp_|_INTERNAL_|__nv_|__device_stub|0[xX]")
"""How compilers begin their names, whole or cut."""
_VERSION_OF_FUNCTION = lazy(r"(?:_v\d{1,2}|_ptsz|_ptds)+$")
LEAST = 20
"""Characters from which on a word can be told to be random."""
_LEAST_HEX = 24
_LEAST_CHANCE = 6
"""From which on (`drawn.chance`) a word is taken to be drawn by lot: of names of files and functions one in 500 is."""
_MOST_OF_COMPILERS = 25
"""For what begins as compilers begin a name: Rust ends it with a hash."""
_HEX_INSIDE = lazy(r"(?=[0-9a-f]{0,12}\d)[0-9a-f]{32}|(?=[0-9A-F]{0,12}\d)[0-9A-F]{32}")
"""A digest stands alone; one that goes on with other letters is none."""
_OF_REQUEST = lazy(r"(?:chatcmpl|cmpl|resp|req|msg|call|embd)[-_][A-Za-z0-9]{20,64}$")
"""How servers of models number what they are asked."""
_PRIVATE_NUMBER = lazy(r"0x[0-9a-fA-F]{64}")
"""The private key of a wallet; numbers in a program are shorter."""
_TIME = lazy(r"(?:19|20)\d{6}[T_-]?\d{4,6}Z?")
_LEAST_LONGEST, _MANY_PARTS = 13, 4
"""Names of kernels and packages are many short pieces, each as long as it has to be."""


def is_opaque(word: str) -> bool:
    """Whether a word (letters, digits and what joins them) looks random."""
    if len(word) < LEAST:
        return False
    word = _VERSION_OF_FUNCTION().sub("", word)
    if len(word) < LEAST:
        return False
    if _OF_REQUEST().match(word):
        return False
    if _PRIVATE_NUMBER().fullmatch(word):
        return True
    certain = _MOST_OF_COMPILERS if _MANGLED().match(word) else _LEAST_CHANCE
    parts = [part for part in _SEPARATORS().split(UUID().sub("", word)) if part and part not in known().field]
    joined = "".join(parts)
    if len(joined) < LEAST:
        return False
    longest = max(parts, key=len)
    if len(longest) < _LEAST_LONGEST and len(parts) >= _MANY_PARTS and len(set(map(len, parts))) > 1:
        return False
    if _HEX().fullmatch(longest):
        return len(longest) >= _LEAST_HEX and len(parts) > 1 and not _names_a_digest(word, longest)
    if joined.isdigit():
        return False
    return _HEX_INSIDE().search(longest) is not None or chance(_TIME().sub("", word)) > certain


def _names_a_digest(word: str, number: str) -> bool:
    before = _SEPARATORS().split(word[: word.index(number)].lower())
    return any(piece in known().digests for piece in before) or all(piece.isdigit() or not piece for piece in before)
