"""What each command imports: start-up is imports, and a heavy one creeps in unseen."""

import subprocess
import sys
from pathlib import Path

import pytest

from .recorded import recorded

_RUN = """
import sys
from inspector.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
"""
SCREEN = ("textual", "rich")
ELF = ("elftools", "capstone")
COLLECTOR = ("inspector.collect", "psutil", "watchdog", *ELF)


def imported(*words: str) -> set[str]:
    """The modules that are there when a command has ended."""
    done = subprocess.run([sys.executable, "-c", _RUN, *words], capture_output=True, text=True, timeout=60)
    names = {line for line in done.stderr.splitlines() if line.isidentifier() or "." in line}
    assert "inspector.cli" in names, done.stderr
    return names


def offenders(names: set[str], *packages: str) -> list[str]:
    """Those of the names that belong to a package."""
    return sorted(name for name in names for package in packages if name == package or name.startswith(f"{package}."))


@pytest.mark.parametrize("word", ["--help", "--version", "report --help"])
def test_words_about_the_program_import_none_of_its_sides(word: str) -> None:
    sides = ("inspector.view", "inspector.model", "inspector.report", "inspector.stream", "inspector.demo")
    assert not offenders(imported(*word.split()), *SCREEN, *COLLECTOR, *sides, "msgspec", "asyncio")


def test_the_list_imports_no_screen_no_elf_reader_and_no_rules() -> None:
    rules = ("inspector.model.diagnosis", "inspector.model.ladder", "inspector.collect.agent", "asyncio")
    assert not offenders(imported("list"), *SCREEN, *ELF, *rules, "watchdog", "psutil", "zstandard")


def test_a_report_on_a_recording_imports_neither_screen_nor_collector(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    assert not offenders(imported("report", path), *SCREEN, *COLLECTOR)


def test_differences_and_the_schema_import_neither_screen_nor_collector(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    assert not offenders(imported("diff", path, path), *SCREEN, *COLLECTOR)
    assert not offenders(imported("report", "--schema"), *SCREEN, *COLLECTOR)


def test_the_first_frame_waits_for_no_rule_and_no_report() -> None:
    code = "import sys, inspector.view.app; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    later = (
        "inspector.model.fold",
        "inspector.model.diagnosis",
        "inspector.model.ladder",
        "inspector.model.usage",
        "inspector.report",
    )
    assert "inspector.view.app" in done.stdout
    assert not offenders(set(done.stdout.split()), *later, "importlib.resources", "email", "http", "multiprocessing")


def test_a_collector_is_started_before_anything_of_the_screen_is_imported() -> None:
    code = (
        "import sys\nfrom inspector.commands import inputs, screen\nfrom inspector.commands.arguments import parse\n"
        "from inspector.stream.transport import target_words\n"
        "options = parse(['1'], '')\n"
        "stream = inputs.collector(options, target_words('1'), lambda: inputs.profiles(options))\n"
        "print(*sorted(sys.modules), sep='\\n')\nstream.kill()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "inspector.stream.live" in done.stdout
    assert not offenders(set(done.stdout.split()), *SCREEN, "inspector.view", "asyncio")


def test_the_screen_imports_nothing_of_the_collector() -> None:
    code = "import sys, inspector.view.app; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "inspector.view.app" in done.stdout
    assert not offenders(set(done.stdout.split()), *COLLECTOR)


def test_the_collector_imports_nothing_that_shows_or_judges() -> None:
    code = "import sys, inspector.collect.agent, inspector.collect.composition; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shows = ("inspector.view", "inspector.model", "inspector.report", "inspector.demo", "inspector.commands")
    assert "inspector.collect.agent" in done.stdout
    assert not offenders(set(done.stdout.split()), *SCREEN, *shows)


def test_processes_are_told_before_what_looks_at_them_closely_is_imported() -> None:
    code = "import sys, inspector.collect.observation; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    later = ("composition", "sources.libraries.libraries", "sources.output", "sources.lookups", "sources.stacks")
    assert "inspector.collect.observation" in done.stdout
    assert not offenders(set(done.stdout.split()), *(f"inspector.collect.{name}" for name in later))
