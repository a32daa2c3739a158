"""A collector that is killed while it is watched: said in the limits, the text and the exit code."""

import sys
from pathlib import Path

import pytest
from msgspec import structs

from inspector.model.diagnosis import diagnose
from inspector.model.profiles import builtin_profiles
from inspector.report.builder import report
from inspector.report.formats import FORMATS, render
from inspector.report.observe import Observed, Watch
from inspector.report.verdict import UNDECIDED, exit_code
from inspector.stream.live import LiveStream
from inspector.stream.requests import Configure, Plan
from tests.stream.samples import lines, story


@pytest.fixture
def observed(tmp_path: Path) -> Observed:
    """A watch whose collector says what it saw and is killed before its farewell."""
    (tmp_path / "stream").write_bytes(b"".join(lines(story()[:-1])))
    program = (
        "import os, sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read()); sys.stdout.flush();"
        "os.kill(os.getpid(), 9)"
    )
    stream = LiveStream([sys.executable, "-c", program, str(tmp_path / "stream")], lambda: Configure(plan=Plan()))
    return Watch(stream, builtin_profiles(), None).run(lambda _: None)


@pytest.mark.parametrize("format", ["json", "text", "markdown", "html"])
def test_every_format_says_from_when_on_nothing_was_seen(observed: Observed, format: str) -> None:
    assert format in FORMATS
    told = report(observed.state, diagnose(observed.state), observed.troubles)
    shown = " ".join(render(told, format).decode().split())
    assert "everything from the end of the collector on" in shown
    assert "killed" in shown


def test_what_was_not_proven_before_the_end_of_the_collector_is_undecided(observed: Observed) -> None:
    told = report(observed.state, diagnose(observed.state), observed.troubles)
    assert observed.cut_short
    assert told.mode.verdict != "undecided"
    for confidence, expected in (("proven", exit_code(observed.state, told)), ("likely", UNDECIDED)):
        weighed = structs.replace(told, mode=structs.replace(told.mode, confidence=confidence))
        assert exit_code(observed.state, weighed, cut_short=observed.cut_short) == expected
