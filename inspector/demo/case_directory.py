"""The directory of one started case: files placed, links made, names varied by a seed."""

import random
from pathlib import Path

from .build import BuildSpec, build

_SYLLABLES = ("ba", "ko", "ri", "tu", "ne", "zo", "mi", "la", "ve", "shu", "po", "gra")


class Stage:
    """Lays out the files of one case in its own directory.

    Names, sizes and folders that do not matter differ from seed to seed, so that no rule can lean on a file name.
    """

    def __init__(self, directory: Path, seed: str) -> None:
        self.directory = directory
        self.random = random.Random(seed)
        self.names: dict[str, str] = {}
        self._said: set[str] = set()

    def word(self) -> str:
        """A made-up word, each only once: two trees of one case must not share a folder."""
        word = "".join(self.random.sample(_SYLLABLES, 2))
        while word in self._said:
            word = "".join(self.random.sample(_SYLLABLES, 2))
        self._said.add(word)
        return word

    def note(self, key: str, value: str) -> str:
        """Remember a varied name for the sentence that the case must produce."""
        self.names[key] = value
        return value

    def put(self, spec: BuildSpec, at: str) -> Path:
        """A fresh copy (an inode of its own) of what the spec makes, padded to a size of its own."""
        path = self._path(at)
        padding = bytes(self.random.randrange(0, 4096, 16))
        path.write_bytes(build(spec).read_bytes() + padding)
        path.chmod(0o755)
        return path

    def write(self, at: str, content: str | bytes, mode: int = 0o644) -> Path:
        """A file with that content."""
        path = self._path(at)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def link(self, at: str, target: str) -> Path:
        """A symbolic link."""
        path = self._path(at)
        path.symlink_to(target)
        return path

    def path(self, at: str) -> str:
        """Where something is or would be."""
        return str(self.directory / at)

    def _path(self, at: str) -> Path:
        path = self.directory / at
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
