"""The last line of a program that crashed is told with the crash."""

from inspector.stream.logs import LogFound
from inspector.stream.processes import ProcessEnded, SignalDelivered

from .asking import answer
from .build import Story


def _crashed(*lines: str) -> Story:
    story = Story(can=("process-births", "environment", "library-loads", "count-calls", "results", "lookups"))
    story.process(812, ("/opt/app/engine",))
    story.tell(LogFound(at=story.later(), source=1, name="/var/log/engine.log", kind="file", why="stdout", pids=[812]))
    for line in lines:
        story.log(line)
    at = story.later()
    story.tell(SignalDelivered(at=at, pid=812, tid=812, signal=11, si_code=1, fatal=True, ip=0x1193, library="/opt/x"))
    story.tell(ProcessEnded(at=at + 1, pid=812, signal=11))
    return story


def test_a_crash_is_told_with_the_last_line() -> None:
    cause = answer(_crashed("engine: loading weights", "engine: weights corrupt in block 7")).cause
    assert "Its last line: engine: weights corrupt in block 7." in cause


def test_what_a_shell_says_of_any_death_is_no_last_line() -> None:
    assert "Its last line" not in answer(_crashed("Segmentation fault (core dumped)")).cause
