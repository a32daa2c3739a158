"""What the command line may ask for, apart from what reads it: the screen on a plain target needs no more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.report.expectation import Expected

COMMANDS = {
    "run": "start a program under observation, with the screen",
    "report": "observe for a while (or read a recording) and print the answer",
    "trace": "print the timeline as it happens",
    "record": "record everything to a file",
    "replay": "play a recording on the screen",
    "diff": "compare a good and a bad recording or report",
    "demo": "a real, broken example under observation",
    "explain": "what a finding means, how it is proven, what to do",
    "doctor": "what this machine and user allow, and what grants the rest",
    "list": "processes with GPU libraries, preloads or shims",
    "completion": "shell completion for bash, zsh or fish",
    "mcp": "serve answers to an assistant (Model Context Protocol over stdin and stdout)",
    "collect": "",
}
"""Command -> what it does; one without words is not shown."""


class Options:
    """Every option of every command, with its default. No struct: --help and --version wait for no library."""

    command: str = ""
    """Empty: the screen on TARGET, or the picker."""
    target: str | None
    other: str | None = None
    """The second file of `diff`."""
    program: list[str]
    """What stands behind `--`."""
    wait: bool = False
    seconds: float | None = None
    format: str = "text"
    output: str | None = None
    schema: bool = False
    expect: "Expected | None" = None
    everything: bool = False
    names: bool = False
    host: str = ""
    ssh_option: list[str]
    via: str = ""
    sudo: bool = False
    remote_command: str = "inspector"
    bootstrap: bool = False
    log: list[str]
    profile: list[str]
    no_count: bool = False
    quiet: bool = False
    budget: float = 1.0
    no_mouse: bool = False
    reset_config: bool = False
    redact: bool = False
    fix: bool = False
    words: str = ""
    """Which words `completion` asks for while somebody types."""

    def __init__(self, target: str | None = None) -> None:
        self.target = target
        self.program, self.ssh_option, self.log, self.profile = [], [], [], []


def plain(words: Sequence[str]) -> Options | None:
    """The options of `inspector` and `inspector TARGET`; None for words that take a parser, which costs 10 ms."""
    if not words:
        return Options()
    if len(words) > 1 or words[0] in COMMANDS or words[0][:1] in ("", "-"):
        return None
    return Options(target=words[0])
