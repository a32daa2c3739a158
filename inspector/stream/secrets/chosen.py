"""Passwords as people and their tools make them, told by their shape where nothing beside them tells.

Asked only of what stands behind an option that is the password's in many programs and a port, a prompt or a process in
others (`-p`). So ports, ranges, paths, names of models and processors, prompts and plain words are none.
"""

from inspector.stream.lazy_pattern import lazy

from .opaque import UUID, is_opaque

_LEAST, _MOST = 6, 256
_NO_PASSWORD = lazy(
    r"[\d.:,x*-]+(?:/(?:tcp|udp|sctp))?"  # numbers, ports, ranges, addresses, `8080:80/tcp`
    r"|[^@]*/.*"  # paths, addresses
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # mail
    r"|\$\w+|\$\{.*|%.*|[~*?.-].*|.*\.(?:so|gguf|json|ya?ml|toml|py|sh|txt|log|conf|cfg|safetensors|bin|onnx)"
)
_SIGN = lazy(r"(?<=\w)[!#^&$@]|[!#^&$@](?=\w)")
"""What words, numbers and names of this field do not hold."""
_BETWEEN = lazy(r"[-._:,=+/]+")
_PIECE = lazy(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LEAST_PIECES, _LEAST_LENGTH = 5, 8
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
    return any(map(_is_mixed, _BETWEEN().split(UUID().sub("", value)))) or is_opaque(value)


def _is_mixed(part: str) -> bool:
    pieces = len(_PIECE().findall(part))
    return len(part) >= _LEAST_LENGTH and pieces >= _LEAST_PIECES and pieces - 1 >= _TURNS * len(part)
