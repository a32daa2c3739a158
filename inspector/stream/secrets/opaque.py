"""Words that look random: what no person and no compiler would write.

The names of this field are long and odd as well (mangled symbols, GPU ids, digests, kernels, model files), and they
must stay. So a word is judged by how little of it is made of words, not by its entropy alone.
"""

import re

from inspector.stream.lazy_pattern import lazy

from .known import known

_WORDY = lazy(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}|[0-9]{4,}")
"""Pieces that people make: `Memory`, `CUDA`, `12345`."""
_SEPARATORS = lazy(r"[^A-Za-z0-9]+")
_HEX = lazy(r"[0-9a-f]+|[0-9A-F]+")
_TURN = lazy(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")
UUID = lazy(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_MANGLED = lazy(r"_*Z[A-Z0-9]|N(?:K|St|S_)?\d|S[ta_]\d|[?$]|_R[A-Z]|__imp_|_INTERNAL_|__nv_|__device_stub|0[xX]")
"""How compilers begin their names, whole or cut."""
_VERSION_OF_FUNCTION = lazy(r"(?:_v\d{1,2}|_ptsz|_ptds)+$")
LEAST = 20
"""Characters from which on a word can be told to be random."""
_LEAST_HEX = 24
_MOST_WORDY = 0.6
"""Of words of 32 characters drawn by lot two in a hundred have more by chance, of names of programs nearly all."""
_MOST_WORDY_IN_ONE = 0.7
"""For a long word without any separator."""
_LEAST_LONGEST, _MANY_PARTS = 12, 4
"""Names of kernels and packages are many short pieces, each as long as it has to be."""
_LONG = 30


def is_opaque(word: str) -> bool:
    """Whether a word (letters, digits and what joins them) looks random."""
    if len(word) < LEAST:
        return False
    word = _VERSION_OF_FUNCTION().sub("", word)
    if len(word) < LEAST or _MANGLED().match(word):
        return False
    parts = [part for part in _SEPARATORS().split(UUID().sub("", word)) if part]
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
    if joined.islower() or joined.isupper():
        return len(longest) >= LEAST and len(_TURN().findall(longest)) * 5 >= len(longest)
    wordy = sum(map(len, _WORDY().findall(word)))
    limit = _MOST_WORDY_IN_ONE if len(longest) >= _LONG else _MOST_WORDY
    if joined.isalpha():
        limit /= 2
    return wordy < limit * len(joined)


def _names_a_digest(word: str, number: str) -> bool:
    before = _SEPARATORS().split(word[: word.index(number)].lower())
    return any(piece in known().digests for piece in before) or all(piece.isdigit() or not piece for piece in before)
