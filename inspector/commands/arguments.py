"""The words of the command line: which command, which options, and help that says what to type next."""

import argparse
from collections.abc import Sequence

from inspector.commands.options import COMMANDS, Options

_TARGETS = """\
TARGET is a PID, a process name or a part of its command line, unit:ollama.service,
container:NAME, or lib:PATH (every process that maps that file, now or later).
A target named like a command goes after --:  inspector -- report
"""

_EXITS = """\
exit codes of report:
   0  GPU in use            2  usage              10  CPU, cause found
  12  undecided             3  no such target     11  CPU, cause unknown
                            4  not permitted
"""

_EXAMPLES = {
    "": """\
examples:
  inspector                          choose a process
  inspector ollama                   why is ollama on the CPU?
  inspector --wait ollama            the same, from its first instruction on
  inspector run -- ./server --port 1 start a program under observation
  inspector report ollama --for 10s  without a screen: print the answer
  inspector --host me@vm ollama      the process is on another machine
  inspector demo                     see it at work on a real, broken example
""",
    "report": """\
examples:
  inspector report ollama --for 10s
  inspector report --format json -o now.json 812
  inspector report -- python3 -c 'import torch; print(torch.cuda.is_available())'
  inspector report bad.zst --format html -o bad.html
  inspector report --expect cuda --format junit -o gpu.xml -- ./test-gpu
""",
    "trace": "examples:\n  inspector trace ollama\n  inspector trace --format json -- ./server | jq .text\n",
    "record": "examples:\n  inspector record ollama -o bad.zst\n  inspector record ollama -o - | ssh desk inspector "
    "report -\n",
    "diff": "examples:\n  inspector diff good.zst bad.zst\n  inspector diff good.json bad.json --format json\n",
    "demo": "examples:\n  inspector demo --list\n  inspector demo healthy\n",
    "run": "examples:\n  inspector run -- ./server --port 1\n  inspector run --log server.log -- ./server\n",
    "replay": "examples:\n  inspector replay bad.zst\n  inspector record ollama -o bad.zst   makes one\n",
    "doctor": "examples:\n  inspector doctor\n  inspector doctor --fix\n  inspector doctor --host me@vm\n",
    "completion": "examples:\n  source <(inspector completion bash)\n  inspector completion zsh > ~/.zfunc/_inspector\n"
    "  inspector completion fish > ~/.config/fish/completions/inspector.fish\n",
    "mcp": "examples:\n  inspector mcp --host me@vm\n",
    "explain": "examples:\n  inspector explain\n  inspector explain dependency-missing\n",
    "list": "examples:\n  inspector list\n  inspector list --all --format json | jq .\n",
}


def parse(words: Sequence[str], version: str) -> Options:
    """The options that the words stand for; SystemExit 0 after --help and --version, 2 for words it cannot read."""
    before, behind = _split(list(words))
    command, rest = _take_command(before)
    options = Options()
    parser = _parser(command, version)
    _, unread = parser.parse_known_args(rest, namespace=options)
    if unread:
        parser.error(_unread_words(command, options.target, unread))
    options.command = command
    if behind and command == "":
        if options.target is not None or len(behind) > 1:
            parser.error("one TARGET only; to start a program: inspector run -- CMD...")
        options.target = behind[0]
    else:
        options.program = behind
    return options


def _unread_words(command: str, target: str | None, unread: list[str]) -> str:
    """Why words are left: a mistyped command, a command line that was not quoted, an option that there is not."""
    from difflib import get_close_matches
    from shlex import join, quote

    named = join(unread)
    meant = get_close_matches(target or "", [name for name, words in COMMANDS.items() if words], 1)
    if command == "" and meant:
        return f"there is no command {target}: did you mean inspector {meant[0]} {named}?"
    if target is None or any(word.startswith("-") for word in unread):
        return f"unrecognized arguments: {named}"
    call = ["inspector", *([command] if command else []), quote(" ".join([target, *unread]))]
    return f"one TARGET only; several words of a command line are one: {' '.join(call)}"


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _take_command(words: list[str]) -> tuple[str, list[str]]:
    """The first word that is no option and no option's value, when it is a command; and the other words."""
    index = 0
    while index < len(words):
        word = words[index]
        if word in _WITH_VALUE:
            index += 2
        elif word.startswith("-") and word != "-":
            index += 1
        else:
            return (word, words[:index] + words[index + 1 :]) if word in COMMANDS else ("", words)
    return "", words


_WITH_VALUE = frozenset(
    ("--host", "--ssh-option", "--via", "--remote-command", "--log", "--profile", "--budget", "--for", "--format", "-o",
     "--output", "--expect")
)  # fmt: skip


def _parser(command: str, version: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"inspector {command}".strip(),
        usage=_USAGE[command],
        description=_description(command),
        epilog=_epilog(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if command == "":
        parser.add_argument("--version", action="version", version=f"inspector {version}")
    _add_own(parser, command)
    if command not in ("diff", "replay", "demo", "completion", "explain"):
        _add_place(parser)
    if command not in ("doctor", "completion", "mcp", "explain"):
        _add_looking(parser, command)
    return parser


def every_parser(version: str) -> argparse.ArgumentParser:
    """All commands under one parser, as completion and the manual page need them."""
    parser = argparse.ArgumentParser(
        prog="inspector", usage=_USAGE[""], description=_description(""), epilog=_epilog(""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"inspector {version}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command, words in COMMANDS.items():
        if words:
            own = _parser(command, version)
            for action in own._actions:
                if action.help == argparse.SUPPRESS:
                    action.help = str(action.metavar)
            commands.add_parser(
                command, help=words, parents=[own], add_help=False, usage=own.usage, description=own.description,
                epilog=own.epilog, formatter_class=argparse.RawDescriptionHelpFormatter,
            )  # fmt: skip
    _add_place(parser)
    _add_looking(parser, "")
    return parser


_USAGE = {
    "": "inspector [OPTIONS] [TARGET] [--wait]\n       inspector COMMAND ...",
    "run": "inspector run [OPTIONS] -- CMD...",
    "report": "inspector report [OPTIONS] TARGET|FILE\n       inspector report [OPTIONS] -- CMD...",
    "trace": "inspector trace [OPTIONS] TARGET|FILE\n       inspector trace [OPTIONS] -- CMD...",
    "record": "inspector record [OPTIONS] -o FILE TARGET\n       inspector record [OPTIONS] -o FILE -- CMD...",
    "replay": "inspector replay [OPTIONS] FILE",
    "diff": "inspector diff [OPTIONS] GOOD BAD",
    "demo": "inspector demo [OPTIONS] [CASE] | --list",
    "explain": "inspector explain [OPTIONS] [RULE]",
    "doctor": "inspector doctor [OPTIONS]",
    "list": "inspector list [OPTIONS]",
    "completion": "inspector completion bash|zsh|fish",
    "mcp": "inspector mcp [OPTIONS]",
    "collect": "inspector collect ...",
}


def _description(command: str) -> str:
    if command:
        return COMMANDS[command][0].upper() + COMMANDS[command][1:] + "."
    rows = "\n".join(f"  {name:<11}{words}" for name, words in COMMANDS.items() if words)
    return (
        "My GPU shim is loaded: why is the process still on the CPU?\n"
        "Answers live, without stopping, restarting or changing the process.\n\n"
        f"commands (inspector COMMAND --help):\n{rows}"
    )


def _epilog(command: str) -> str:
    parts = [_EXAMPLES.get(command, "")]
    if command in ("", "report", "trace", "record"):
        parts.append(_TARGETS)
    if command in ("", "report"):
        parts.append(_EXITS)
    return "\n".join(part for part in parts if part)


def _add_own(parser: argparse.ArgumentParser, command: str) -> None:
    """Positional words and options that belong to one command."""
    if command in ("", "report", "trace", "record", "replay"):
        parser.add_argument("target", nargs="?", metavar="TARGET", help=argparse.SUPPRESS)
    if command in ("", "report", "trace", "record"):
        parser.add_argument("--wait", action="store_true", help="wait for the target to start")
    if command == "diff":
        parser.add_argument("target", metavar="GOOD", help=argparse.SUPPRESS)
        parser.add_argument("other", metavar="BAD", help=argparse.SUPPRESS)
    if command == "demo":
        parser.add_argument("target", nargs="?", metavar="CASE", help=argparse.SUPPRESS)
        parser.add_argument("--list", dest="names", action="store_true", help="list the cases")
    if command == "list":
        parser.add_argument(
            "--all", dest="everything", action="store_true", help="all processes, not only those using a GPU"
        )
    if command == "explain":
        parser.add_argument("target", nargs="?", metavar="RULE", help="as in a report; without it all are listed")
    if command == "completion":
        parser.add_argument(
            "target", nargs="?", choices=("bash", "zsh", "fish"), metavar="SHELL", help=argparse.SUPPRESS
        )
        parser.add_argument(
            "--words", choices=("targets", "cases"), default="", help="the words of one kind, one per line"
        )
    if command == "doctor":
        parser.add_argument(
            "--fix", action="store_true", help="print (never run) the commands that grant what is missing"
        )
    _add_output(parser, command)


_FORMATS = {
    "report": ("text", "json", "markdown", "html", "perfetto", "junit", "openmetrics"),
    "trace": ("text", "json"),
    "diff": ("text", "json"),
    "list": ("text", "json"),
    "doctor": ("text", "json"),
    "explain": ("text", "json", "markdown"),
}


_MODES = ("gpu", "cuda", "rocm", "vulkan", "opencl", "cpu")
"""inspector.report.expectation.Expected, which --help need not import."""
_FROM_WHEN = "with --wait from the target's start on: the wait itself has no limit"
_HOW_LONG = {
    "report": f"how long to observe: 5s (default for a TARGET), 500ms, 2m; {_FROM_WHEN}",
    "trace": f"how long to observe: 5s, 500ms, 2m; default: until Ctrl-C; {_FROM_WHEN}",
    "record": f"how long to observe: 5s, 500ms, 2m; default: until Ctrl-C; {_FROM_WHEN}",
}


def _add_output(parser: argparse.ArgumentParser, command: str) -> None:
    if command in ("report", "trace", "record"):
        parser.add_argument(
            "--for", dest="seconds", type=duration, metavar="TIME", help=_HOW_LONG[command]
        )  # fmt: skip
    if command in _FORMATS:
        parser.add_argument("--format", choices=_FORMATS[command], default="text", help="default: text")
    if command in ("report", "record", "diff"):
        parser.add_argument("-o", "--output", metavar="FILE", help="where to write; - is stdout")
    if command == "report":
        parser.add_argument(
            "--expect",
            choices=_MODES,
            help="exit 0 if this is the mode, else 1 and say why in one line",
        )
        parser.add_argument("--schema", action="store_true", help="print the JSON Schema of --format json")
    if command in ("report", "record", "trace", "diff"):
        parser.add_argument("--redact", action="store_true", help="hide users, home directories, hosts and addresses")


def _add_place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where")
    group.add_argument("--host", default="", metavar="USER@VM", help="observe on another machine, over your own ssh")
    group.add_argument(
        "--via", default="", metavar="WORDS", help='observe inside a container: --via "docker exec -i X"'
    )  # fmt: skip
    group.add_argument("--sudo", action="store_true", help="observe as root (sudo -n)")
    group.add_argument(
        "--ssh-option", action="append", default=[], metavar="OPT", help="an option for ssh: --ssh-option=-p2222"
    )
    group.add_argument(
        "--remote-command",
        default="inspector",
        metavar="CMD",
        help="the command that starts inspector there; default: inspector",
    )
    group.add_argument("--bootstrap", action="store_true", help="copy the collector there; only Python is needed")


def _add_looking(parser: argparse.ArgumentParser, command: str) -> None:
    group = parser.add_argument_group("what")
    group.add_argument(
        "--profile", action="append", default=[], metavar="PATH", help="a profile file, or a directory of them"
    )
    if command in ("", "run", "report", "trace", "record"):
        group.add_argument("--log", action="append", default=[], metavar="PATH", help="follow this log as well")
        group.add_argument("--no-count", action="store_true", help="passive evidence only: no probes")
        group.add_argument(
            "--budget",
            type=percent,
            default=1.0,
            metavar="PERCENT",
            help="percent of a CPU that counting may cost; default: 1",
        )
    if command in ("report", "trace", "record"):
        group.add_argument("-q", "--quiet", action="store_true", help="hide the output of the program after --")
    if command in ("", "run", "replay", "demo"):
        group.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
        group.add_argument(
            "--reset-config",
            action="store_true",
            help="move ~/.config/shim-inspector/config.toml aside and start with the defaults",
        )


_WHOLE = 100.0


def duration(text: str) -> float:
    """`5s`, `500ms`, `2m`, `1h` or plain seconds, in seconds; argparse.ArgumentTypeError for anything else."""
    for unit, seconds in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        number = text.removesuffix(unit) if unit else text
        if (not unit or number != text) and number.replace(".", "", 1).isdecimal() and number.isascii():
            if not float(number):
                raise argparse.ArgumentTypeError(f"{text!r} is no time to observe; write 5s, 500ms or 2m")
            return float(number) * seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write 5s, 500ms or 2m")


def percent(text: str) -> float:
    """A share of one processor; argparse.ArgumentTypeError for what is none."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= _WHOLE:
        raise argparse.ArgumentTypeError(f"{text!r} is no share of a CPU; write a number of percent, 0.5 or 1")
    return share
