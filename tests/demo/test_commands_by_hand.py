"""What a finding tells to run can be run: in every recorded case, every finding that blames something."""

import re
import subprocess

import pytest

from tests.recordings import ALL, answer_of, state_of, together

TO_BE_FILLED_IN = re.compile(r"\b(PROGRAM|PID|NAME|FILE|CMD)\b|<[a-z]+>|\.\.\.|…")
"""What a person would have to replace first."""


@pytest.mark.parametrize("name", together(ALL))
def test_each_finding_that_blames_something_has_a_command_that_runs_as_it_is(name: str) -> None:
    ended = {one.pid for one in state_of(name).current.values() if one.ended}
    for finding in answer_of(name).findings:
        assert finding.command or finding.severity == "info", finding.title
        assert not TO_BE_FILLED_IN.search(finding.command), finding.command
        by_hand = [row.by_hand for row in finding.evidence]
        assert not [command for command in by_hand if TO_BE_FILLED_IN.search(command)]
        for command in (finding.command, *by_hand):
            assert ended.isdisjoint(map(int, re.findall(r"/proc/(\d+)", command))), command


@pytest.mark.parametrize("name", together(ALL))
def test_a_shell_understands_every_command(name: str) -> None:
    told = answer_of(name).findings
    commands = {one.command for one in told} | {row.by_hand for one in told for row in one.evidence}
    commands.discard("")
    script = "".join(f"shown() {{\n{command}\n}}\n" for command in sorted(commands))
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
