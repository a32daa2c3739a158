"""What a shell was told to run: the program that a person knows, where the shell alone is left of it."""

import shlex
from collections.abc import Iterator, Sequence

from inspector.stream.invocation import SHELLS, program_name

from .formatting import name_of
from .worker import is_tool_name

_BUILTINS = frozenset((
    "cd", "export", "set", "unset", "exec", "eval", "exit", "trap", "ulimit", "umask", "wait", "shift", "local",
    ".", ":", "[", "[[", "{", "}", "!", "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done",
    "source", "case", "esac", "function", "time", "command", "builtin", "in", "readonly",
))  # fmt: skip
"""Words of the shell itself (sh(1)), behind which the next word may be a program."""
_ENDS = frozenset(("&", "&&", "|", "||", ";", ";;", "(", ")", "\n"))
_TAKE_PROGRAM = frozenset((
    "exec", "command", "builtin", "time", "then", "do", "else", "if", "while", "until", "!", "{", "env", "nohup",
    "nice", "sudo", "setsid",
))  # fmt: skip
"""Behind these stands a program and its arguments."""


def programs_told(argv: Sequence[str]) -> list[str]:
    """Names of the programs in the text that a shell was given (`sh -c "export A=1; python3 train.py"`), in order;
    empty for others, and where the text is none that can be read.
    """
    if not argv or name_of(argv[0]).lstrip("-") not in SHELLS or "-c" not in argv[:-1]:
        return []
    text = argv[argv.index("-c") + 1]
    try:
        lexer = shlex.shlex(text.replace("\n", ";"), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return []
    names = (_program_of(command) for command in _commands(words))
    return list(dict.fromkeys(filter(None, names)))


def _commands(words: Sequence[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if word in _ENDS:
            yield command
            command = []
        else:
            command.append(word)
    yield command


def _program_of(command: Sequence[str]) -> str:
    """The name of the program of one command; empty for what the shell does itself, and for tools."""
    words = list(command)
    while words and ("=" in words[0].partition("/")[0] or words[0] in _TAKE_PROGRAM):
        words.pop(0)
    if (
        not words
        or words[0] in _BUILTINS
        or words[0].startswith(("$", "-", "<", ">"))
        or is_tool_name(name_of(words[0]))
    ):
        return ""
    return program_name(words, "")
