"""Words of the command line: what they mean, what --help says, and what wrong ones lead to."""

import argparse
import subprocess
import sys

import pytest

from inspector.commands.arguments import duration, parse
from inspector.commands.errors import UserError
from inspector.commands.options import COMMANDS, Options, plain
from inspector.commands.screen import refuse_absent

from .run import inspector, said


def options(*words: str) -> Options:
    return parse(words, "0")


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("3", 3), ("0.5s", 0.5)]
)
def test_times_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "5x", "1e9", "five", "1.2.3s", "\u0665s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize("words", [["--for", "0s"], ["--budget", "-5"], ["--budget", "nan"], ["--budget", "0"]])
def test_no_time_and_no_share_of_a_processor_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(["report", *words, "ollama"], "1")
    assert refused.value.code == 2


def test_a_word_that_is_no_command_is_a_target() -> None:
    assert (options("ollama").command, options("ollama").target) == ("", "ollama")
    assert (options("report", "ollama").command, options("report", "ollama").target) == ("report", "ollama")


def test_a_target_with_the_name_of_a_command_stands_behind_two_dashes() -> None:
    found = options("--", "report")
    assert (found.command, found.target, found.program) == ("", "report", [])


def test_options_may_stand_before_the_command_and_a_value_is_no_command() -> None:
    found = options("--host", "report", "--log", "/x", "trace", "run", "--for", "2s")
    assert (found.command, found.target, found.host, found.log, found.seconds) == ("trace", "run", "report", ["/x"], 2)


def test_words_behind_two_dashes_are_the_program_to_start() -> None:
    found = options("report", "--for", "5s", "--", "srv", "--format", "json")
    assert (found.program, found.format, found.target) == (["srv", "--format", "json"], "text", None)


def test_two_targets_are_one_too_many() -> None:
    with pytest.raises(SystemExit) as refused:
        options("one", "two")
    assert refused.value.code == 2
    with pytest.raises(SystemExit):
        options("one", "--", "two")


@pytest.mark.parametrize("command", ["", *(name for name, words in COMMANDS.items() if words)])
def test_every_command_explains_itself(command: str) -> None:
    done = inspector(*([command] if command else []), "--help")
    assert done.returncode == 0 and done.stderr == b""
    text = done.stdout.decode()
    assert text.startswith(f"usage: inspector {command}".rstrip()) and max(map(len, text.splitlines())) <= 100


def test_the_collector_is_not_advertised_and_the_exit_codes_are() -> None:
    text = inspector("--help").stdout.decode()
    assert "\n  collect " not in text and "exit codes of report" in text and "examples:" in text


@pytest.mark.parametrize(
    "words",
    [["report"], ["report", "--for", "soon", "1"], ["record", "1"], ["run"], ["replay"], ["diff", "a"], ["--bogus"],
     ["demo", "nope"], ["report", "--format", "pdf", "1"], ["report", "--host", "-oX", "1"], ["report", "no.zst"]],
)  # fmt: skip
def test_wrong_words_are_answered_with_a_sentence_and_exit_code_2(words: list[str]) -> None:
    done = inspector(*words)
    assert done.returncode == 2, said(done)
    assert "inspector" in said(done) and "Traceback" not in said(done)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list"], ["report", "--schema"], ["doctor", "--help"]])
def test_light_commands_import_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys\nfrom inspector.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        "heavy = [name for name in ('textual', 'rich', 'psutil', 'watchdog') if name in sys.modules]\n"
        "print('HEAVY', *heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().splitlines()[-1] == "HEAVY", done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_and_version_import_no_library_at_all(words: list[str]) -> None:
    program = (
        "import sys\nfrom inspector.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        "print('HEAVY', *sorted({name.split('.')[0] for name in sys.modules} & {'msgspec', 'elftools', 'zstandard'}),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().splitlines()[-1] == "HEAVY", done.stderr


def test_the_version_is_one_line() -> None:
    assert inspector("--version").stdout.decode().startswith("inspector ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["repot", "ollama"], "there is no command repot: did you mean inspector report ollama?"),
        (["ollama", "serve"], "several words of a command line are one: inspector 'ollama serve'"),
        (["report", "ollama", "serve"], "several words of a command line are one: inspector report 'ollama serve'"),
        (["report", "ollama", "--frmat", "json"], "unrecognized arguments: --frmat json"),
    ],
)
def test_words_too_many_are_told_with_what_was_meant(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(words, "1")
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["ollama"], ["812"], ["unit:ollama.service"], ["bad.zst"]])
def test_plain_words_are_read_without_a_parser_and_mean_the_same(words: list[str]) -> None:
    plainly, parsed = plain(words), parse(words, "1.0")
    names = Options.__annotations__
    assert [getattr(plainly, name) for name in names] == [getattr(parsed, name) for name in names]


@pytest.mark.parametrize("words", [["report"], ["-"], ["--help"], [""], ["ollama", "--wait"], ["--", "report"]])
def test_all_other_words_are_left_to_the_parser(words: list[str]) -> None:
    assert plain(words) is None


@pytest.mark.parametrize(
    ("program", "why", "command"),
    [
        ("/no/such/program", "no such file", "ls -l /no/such/program"),
        ("no-such-program", "no such program in PATH", "command -v no-such-program"),
        ("/etc/passwd", "it is no file that may be executed", "ls -l /etc/passwd"),
    ],
)
def test_no_screen_is_opened_on_a_program_that_cannot_be_started(program: str, why: str, command: str) -> None:
    options = Options()
    options.program = [program]
    with pytest.raises(UserError, match=f"cannot start {program}: {why}") as refused:
        refuse_absent(options)
    assert (refused.value.command, refused.value.code) == (command, 3)
    options.host = "elsewhere"
    refuse_absent(options)
