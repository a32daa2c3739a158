"""What a command line runs: an interpreter's program is its script, module or class, not the interpreter itself."""

import os
from collections.abc import Sequence

from .lazy_pattern import lazy

INTERPRETERS = (
    "python", "python2", "python3", *(f"python3.{minor}" for minor in range(6, 20)), "pypy3", "node", "nodejs", "deno",
    "bun", "bun.exe", "java", "ruby", "perl", "php", "julia", "lua", "luajit", "guile", "tclsh", "mono", "dotnet",
    "Rscript",
)  # fmt: skip
"""Names of processes that run a program named in their arguments."""
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "busybox")
_INTERPRETER = lazy(
    r"(python[\d.]*|pypy[\d.]*|node|nodejs|deno|bun|java|ruby[\d.]*|perl[\d.]*|php[\d.]*|julia|lua[\d.]*|luajit"
    r"|guile|tclsh[\d.]*|mono|dotnet|Rscript|sh|bash|dash|zsh|ksh|busybox)"
)
_COLLECTOR = b"inspector/__main__.py"
"""How a viewer that is not installed starts its collector."""
_TAKES_VALUE = frozenset(
    [b"-W", b"-X", b"-r", b"--require", b"--import", b"-cp", b"-classpath", b"--class-path", b"--module-path", b"-I"]
)
_NAMES_PROGRAM = frozenset([b"-m", b"-jar", b"--module"])
_HOLDS_PROGRAM = frozenset([b"-c", b"-e", b"--eval", b"-p", b"--print"])
_RUNS = {b"deno": (b"run", b"serve", b"test", b"bench"), b"bun": (b"run", b"test", b"x"), b"dotnet": (b"exec",)}
"""Words before the script by which an interpreter is told to run it (`deno run main.ts`)."""
_CODE_FOLLOWS = {b"deno": (b"eval",)}
_SETS = {b"php": b"-d"}
"""An option that takes a value with one interpreter alone: `php -d ffi.enable=1 main.php`."""

_STREAMS = (b"/dev/fd/", b"/dev/stdin", b"/proc/self/fd/")
"""Where an interpreter reads a program that has no name."""


def program_words(argv: Sequence[bytes]) -> list[bytes]:
    """By which names one would call what an interpreter runs: `train.py`, `train`, `Main`; empty for other programs."""
    interpreter = _base(argv[0]).removesuffix(b".exe") if argv else b""  # as npm has bun
    if not _INTERPRETER().fullmatch(os.fsdecode(interpreter)):
        return []
    word = _program_argument(argv[1:], interpreter)
    if not word or word.startswith(_STREAMS):
        return []
    name = _base(word)
    stem = name.rpartition(b".")
    return list(dict.fromkeys([word, name, stem[0] or name, stem[2]]))


def program_name(argv: Sequence[str], exe: str) -> str:
    """What one calls a program by: the name of its file, of an interpreter's that of its script or module."""
    named = program_words([os.fsencode(word) for word in argv])
    return os.fsdecode(_base(named[0] if named else os.fsencode(exe or (argv[0] if argv else ""))))


def is_inspector(argv: Sequence[bytes]) -> bool:
    """An inspector, whose command line holds the name that it was given: never what somebody looks for."""
    words = program_words(argv)
    return not {b"inspector", b"inspector.pyz"}.isdisjoint(words) or any(word.endswith(_COLLECTOR) for word in words)


def is_call(argv: Sequence[bytes], text: bytes) -> bool:
    """True when a command line calls a program as this text does: by its name, then by arguments in that order.

    `ollama serve` is a call of /usr/bin/ollama, but no argument of grep; `java Main` is one of `java -cp /srv
    com.example.Main`. A piece of the command line counts when the name of the program is in it.
    """
    wanted, run = text.split(), program_words(argv)
    if not argv or not wanted:
        return False
    arguments = iter(argv[1:])
    in_order = all(any(word == each or (word in run and each == run[0]) for each in arguments) for word in wanted[1:])
    named = wanted[0] in (argv[0], _base(argv[0]), *run)
    return (named and in_order) or _names_program(argv, text, run[:1])


def _names_program(argv: Sequence[bytes], text: bytes, run: Sequence[bytes]) -> bool:
    """The text is a piece of the command line, with some of the program's name or of what it runs in it."""
    line = b" ".join(argv)
    at = line.find(text)
    places = [(0, len(argv[0])), *((line.find(word, len(argv[0])), len(word)) for word in run)]
    return at >= 0 and any(at < place + length and place < at + len(text) for place, length in places)


def _program_argument(arguments: Sequence[bytes], interpreter: bytes) -> bytes:
    words, verbs = iter(arguments), _RUNS.get(interpreter, ())
    for word in words:
        if word in _NAMES_PROGRAM:
            return next(words, b"")
        if word in _HOLDS_PROGRAM:
            return b""
        if word in _TAKES_VALUE or word == _SETS.get(interpreter):
            next(words, b"")
        elif word in verbs:
            verbs = ()  # a script may have that name, too
        elif word in _CODE_FOLLOWS.get(interpreter, ()):
            return b""
        elif word == b"--":
            return next(words, b"")
        elif not word.startswith(b"-"):
            return word
    return b""


def _base(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
