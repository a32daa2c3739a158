"""Paths in sentences and commands, shortened to what tells: their last two names."""

from collections import Counter
from collections.abc import Iterable

from inspector.model.formatting import name_of
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


def names_apart(paths: Iterable[str]) -> dict[str, str]:
    """The name of each file; of files that are named alike as much of the path as tells them apart."""
    known = set(paths)
    alike = Counter(name_of(path) for path in known)
    names: dict[str, str] = {}
    for path in known:
        count, short = 1, name_of(path)
        others = [one for one in known if one != path and name_of(one) == short] if alike[short] > 1 else []
        while any(_last(one, count) == _last(path, count) for one in others) and count < path.count("/"):
            count += 1
            short = _last(path, count)
        names[path] = short
    return names


def _last(path: str, count: int) -> str:
    names = path.strip("/").split("/")
    if count >= len(names):
        return path
    return "…/" + "/".join(names[-count:]) + ("/" if path.endswith("/") else "")
