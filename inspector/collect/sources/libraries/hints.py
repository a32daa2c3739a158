"""What hints at the files that a process and its children may load: settings, command line, scripts, strings, needs.

A hint is a guess worth a look at a file, never a statement about the process.
"""

import itertools
import os
import re
import stat
from collections.abc import Iterator, Sequence

import msgspec

from inspector.collect.access.opening import read_regular

from ...elf.file import DT_NEEDED, ElfError, ElfFile, run_path
from ...elf.sections import read_sections
from ...elf.strings import library_names, read_only_data
from ...kernel import procfs
from ...kernel.rootfs import Root
from ..contract import Tracked
from ..tolerant_reads import attempt

_ASSIGNMENT = re.compile(rb"\b(LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT)=(?:'([^']*)'|\"([^\"]*)\"|(\S+))")
_ENDING = re.compile(rb"\.so(?:\.\d[\w.]*)?(?![\w.-])")
_BEFORE_ENDING = re.compile(rb"[\w.+@/-]*[\w+-]\Z")
_LONGEST = 200
_LOADER_KEYS = (b"LD_PRELOAD", b"LD_LIBRARY_PATH", b"LD_AUDIT")
_ORDINARY_KEYS = frozenset([*_LOADER_KEYS, b"PATH", b"HOME", b"PWD", b"OLDPWD", b"SHELL", b"TMPDIR", b"MAIL", b"_"])
_FOLDER = re.compile(rb"/[^:\s]+")
_MOST_WORDS = 64
_LARGEST_SCRIPT = 1 << 18
_MOST_STRING_CHUNKS = 8
"""Of a mebibyte each: where a compiler puts the strings of an ordinary program."""


class Hints(msgspec.Struct):
    """Files, names and folders."""

    paths: list[bytes] = msgspec.field(default_factory=list)
    """Absolute."""
    names: list[bytes] = msgspec.field(default_factory=list)
    """Without a slash: to be looked for wherever the loader may look."""
    folders: list[bytes] = msgspec.field(default_factory=list)

    def add(self, words: Sequence[bytes], directory: bytes) -> None:
        """Take library words in; a relative path begins at a directory."""
        for word in words:
            if b"/" in word:
                self.paths.append(os.path.normpath(os.path.join(directory, word)))
            else:
                self.names.append(word)


class Circumstances(msgspec.Struct, frozen=True):
    """What is read of a process itself."""

    root: Root
    directory: bytes
    """Working directory."""
    words: tuple[bytes, ...]
    """Arguments."""
    settings: tuple[tuple[bytes, bytes], ...]
    """Loader variables, its own and those that its command line sets for what it starts."""
    programs: tuple[bytes, ...]
    """The program, and what the command line is about to execute; as the process sees them."""
    named: tuple[bytes, ...]
    """Words that name a library, in the command line and in variables."""
    folders: tuple[bytes, ...]
    """Values of variables that are one absolute path each: `GGML_BACKEND_DIR=/opt/lib`."""


def circumstances(process: Tracked) -> Circumstances | None:
    """None when the process is gone or may not be looked at."""
    root = attempt(lambda: Root(process.pid), None) if process.readable else None
    if root is None:
        return None
    words = attempt(lambda: procfs.argv(process.pid), list[bytes]())
    directory = attempt(lambda: procfs.link(process.pid, "cwd"), b"/")
    environment = process.raw_environment or attempt(lambda: procfs.environment(process.pid), dict[bytes, bytes]())
    spoken = b" ".join(words)
    others = {key: value for key, value in environment.items() if key not in _ORDINARY_KEYS}
    named = [*library_words(spoken), *library_words(b" ".join(others.values()))]
    return Circumstances(
        root=root,
        directory=directory,
        words=tuple(words),
        settings=tuple(_settings(environment, spoken)),
        programs=tuple(_programs(process, environment, root, directory, words)),
        named=tuple(sorted(set(named))),
        folders=tuple(sorted({value for value in others.values() if _FOLDER.fullmatch(value)})[:_MOST_WORDS]),
    )


def of_settings(around: Circumstances) -> Hints:
    """What loader variables, the command line and the program's own search path say."""
    hints = Hints()
    for name, value in around.settings:
        entries = split_list(value)
        if name == b"LD_LIBRARY_PATH":
            hints.folders += [os.path.join(around.directory, entry) for entry in entries if entry]
        else:
            hints.add([entry for entry in entries if entry], around.directory)
    hints.add(around.named, around.directory)
    for program in around.programs:
        hints.folders += _run_path(around.root.outside(program), os.path.dirname(program))
    return hints


def of_scripts(around: Circumstances) -> Hints:
    """Library names in the scripts that the command line names: an interpreter's program is text."""
    hints = Hints()
    for word in around.words[1:_MOST_WORDS]:
        text = _script(around.root, os.path.join(around.directory, word))
        hints.add(library_words(text), around.directory)
    return hints


def library_words(text: bytes) -> list[bytes]:
    """The first words of a text that look like a library's name or path."""
    words: dict[bytes, None] = {}
    for ending in _ENDING.finditer(text):
        before = _BEFORE_ENDING.search(text[max(0, ending.start() - _LONGEST) : ending.start()])
        if before is not None:
            words[before[0] + ending[0]] = None
        if len(words) == _MOST_WORDS:
            break
    return list(words)


def of_file(open_path: bytes, origin: bytes) -> Hints:
    """What a program or library needs, and the library names among its strings; nothing of what cannot be read."""
    hints = Hints()
    try:
        with ElfFile(open_path) as elf:
            hints.add(elf.tag_strings(DT_NEEDED), origin)
            for chunk in itertools.islice(read_only_data(elf, read_sections(elf)), _MOST_STRING_CHUNKS):
                hints.add(list(library_names(chunk)), origin)
    except (ElfError, OSError):
        pass
    hints.folders += _run_path(open_path, origin)
    return hints


def interpreter(open_path: bytes) -> bytes:
    """The loader that a program asks for, which in musl is the C library too; empty for none."""
    try:
        with ElfFile(open_path) as elf:
            return elf.interpreter or b""
    except ElfError:
        return b""


def _run_path(open_path: bytes, origin: bytes) -> list[bytes]:
    try:
        return run_path(open_path, origin)
    except (ElfError, OSError):
        return []


def split_list(value: bytes) -> list[bytes]:
    """The entries of a loader variable; empty ones included."""
    return re.split(b"[:; ]+", value)


def _settings(environment: dict[bytes, bytes], spoken: bytes) -> Iterator[tuple[bytes, bytes]]:
    found = {(name, value) for name in _LOADER_KEYS if (value := environment.get(name))}
    for match in _ASSIGNMENT.finditer(spoken):
        found.add((match[1], next(value for value in match.groups()[1:] if value is not None)))
    return iter(sorted(found))


def _programs(
    process: Tracked, environment: dict[bytes, bytes], root: Root, directory: bytes, words: list[bytes]
) -> Iterator[bytes]:
    """The program, and what its command line names: what `sh -c` or a launcher is about to execute."""
    named = [word for argument in words[:_MOST_WORDS] for word in argument.split()[:_MOST_WORDS]][:_MOST_WORDS]
    search = environment.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin").split(b":")
    paths = [os.fsencode(process.program.exe)] if process.program else []
    paths += [os.path.join(directory, word) for word in named if b"/" in word]
    paths += [os.path.join(folder, word) for word in _commands(words) for folder in search]
    seen: set[bytes] = set()
    for path in paths:
        found = attempt(lambda path=path: root.resolve(path), None)  # type: ignore[misc]
        if found is not None and _is_program(found.status.st_mode) and found.real not in seen:
            seen.add(found.real)
            yield found.real


def _is_program(mode: int) -> bool:
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _commands(words: list[bytes]) -> list[bytes]:
    """Words that stand where a command stands: first, and behind `--`."""
    behind = [following for word, following in itertools.pairwise(words) if word == b"--"]
    return [word for word in (*words[:1], *behind) if word and b"/" not in word]


def _script(root: Root, path: bytes) -> bytes:
    """A short text file; empty for anything else."""
    try:
        found = root.resolve(path)
        if not stat.S_ISREG(found.status.st_mode) or found.status.st_size > _LARGEST_SCRIPT:
            return b""
        text = read_regular(root.outside(found.real), _LARGEST_SCRIPT)
    except (OSError, ValueError):
        return b""
    return b"" if b"\0" in text else text
