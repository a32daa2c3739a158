"""What a finding tells to run can be run: in every recorded case, every finding that blames something."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply_all
from inspector.model.state import State
from inspector.model.verdict import Finding
from inspector.stream.recording import Recording

FIELD = Path(__file__).parent.parent / "recorded" / "recordings"
ALL = {case.name: recording_of(case) for case in CASES} | {path.name.split(".")[0]: path for path in FIELD.iterdir()}
TO_BE_FILLED_IN = re.compile(r"\b(PROGRAM|PID|NAME|FILE|CMD)\b|<[a-z]+>|\.\.\.|…")
"""What a person would have to replace first."""


def findings(name: str) -> Iterator[tuple[State, Finding]]:
    state = apply_all(Recording(str(ALL[name])))
    for finding in diagnose(state).findings:
        yield state, finding


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_finding_that_blames_something_has_a_command_that_runs_as_it_is(name: str) -> None:
    for state, finding in findings(name):
        assert finding.command or finding.severity == "info", finding.title
        assert not TO_BE_FILLED_IN.search(finding.command), finding.command
        by_hand = [row.by_hand for row in finding.evidence]
        assert not [command for command in by_hand if TO_BE_FILLED_IN.search(command)]
        ended = {one.pid for one in state.current.values() if one.ended}
        for command in (finding.command, *by_hand):
            assert ended.isdisjoint(map(int, re.findall(r"/proc/(\d+)", command))), command


def test_a_shell_understands_every_command() -> None:
    told = [finding for name in ALL for _, finding in findings(name)]
    commands = {one.command for one in told} | {row.by_hand for one in told for row in one.evidence}
    commands.discard("")
    script = "".join(f"shown() {{\n{command}\n}}\n" for command in sorted(commands))
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
