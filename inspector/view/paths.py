"""Paths in sentences and commands, shortened to what tells: their last two names."""

from inspector.stream.lazy_pattern import lazy

_PATH = lazy(r"(?<![\w.…}/])(?<!:/)/[^\s/:;,|\"'()]+(?:/[^\s/:;,|\"'()]+){2,}/?")
"""An absolute path of three names or more; not a part of an address or of another path."""
_WHOLE = ("/proc/", "/sys/")
"""Files whose whole path tells."""
LAST = 2
"""Names of a path that are kept."""


def short_paths(text: str) -> str:
    """`…/cuda_v12/libggml-cuda.so` for `/usr/lib/ollama/cuda_v12/libggml-cuda.so`, everywhere in a text.

    Two paths of one text that end alike keep as many names as it takes to tell them apart.
    """
    paths = {match[0] for match in _PATH().finditer(text) if not match[0].startswith(_WHOLE)}
    short = {path: _last(path, LAST) for path in paths}
    for path in paths:
        names = LAST
        while sum(_last(other, names) == short[path] for other in paths) > 1 and names < path.count("/"):
            names += 1
            short[path] = _last(path, names)
    return _PATH().sub(lambda match: short.get(match[0], match[0]), text)


def _last(path: str, count: int) -> str:
    names = path.strip("/").split("/")
    if count >= len(names):
        return path
    return "…/" + "/".join(names[-count:]) + ("/" if path.endswith("/") else "")
