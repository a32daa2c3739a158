"""Libraries that a program looks for by itself, before it would ask the loader: not found, found, or of no matter."""

from collections.abc import Iterable

from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.syscalls import SystemCallRefused

from ..asking import BACKEND, answer, findings, working
from ..build import Story
from .asking import decision
from .test_decision import CHANNELS

FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/cuda/lib")


def _looks_for(story: Story, name: str, folders: Iterable[str] = FOLDERS) -> None:
    for folder in folders:
        subject = f"{folder}/{name}"
        story.tell(SystemCallRefused(at=story.later(), pid=812, tid=812, call="access", errno=2, subject=subject))


def _program() -> Story:
    story = Story(can=CHANNELS)
    story.process(812, ("/opt/app/node", "main.js"))
    return story


def test_a_library_that_was_looked_for_in_every_folder_is_missing() -> None:
    story = _program()
    for name in ("libcuda.so", "libcuda.so.1"):
        _looks_for(story, name)
    story.end()
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cpu", "likely")
    first = answer(story)
    assert (first.rule, first.confidence) == ("lookup-failed", "likely")
    assert "libcuda.so, libcuda.so.1" in first.title
    assert "not in any of 4 places that the program looked at" in first.cause


def test_a_search_that_ended_early_found_what_it_looked_for() -> None:
    story = _program()
    _looks_for(story, "libcuda.so.1", FOLDERS[:2])
    for name in ("libcudart.so.12", "libcudart.so.13"):
        _looks_for(story, name)
    story.end()
    assert "libcudart.so.12" in answer(story).title
    assert not any("libcuda.so" in one.title for one in findings(story))


def test_a_look_at_one_known_place_is_no_search() -> None:
    story = _program()
    _looks_for(story, "libcuda.so.1", FOLDERS[:1])
    story.end()
    assert decision(story.state).reason == "nobody-asked"


def test_who_asks_the_loader_afterwards_is_told_by_that() -> None:
    story = _program()
    _looks_for(story, "libcuda.so.1")
    story.look_up(812, "dlopen", "libcuda.so.1", answer="/opt/shim/libcuda.so.1")
    story.driver(812)
    story.consumer(812, BACKEND)
    working(story)
    assert decision(story.state).verdict == "cuda"
    assert not [one for one in findings(story) if one.severity == "error"]


def test_who_uses_the_device_through_another_library_is_not_blamed() -> None:
    story = _program()
    _looks_for(story, "libcudart.so.12")
    story.driver(812)
    story.consumer(812, BACKEND)
    working(story)
    assert not [one for one in findings(story) if one.severity == "error"]


def _runs_by_shell(command: str, code: int) -> Story:
    story = Story(can=(*CHANNELS, "exit-status"))
    story.process(812, ("/usr/bin/node", "main.js"))
    story.process(813, ("/bin/sh", "-c", command), parent=812)
    story.end(813, code)
    return story


def test_a_tool_that_a_shell_did_not_find_is_not_installed() -> None:
    first = answer(_runs_by_shell("nvidia-smi -q -x", 127))
    assert (first.rule, first.pid) == ("tool-missing", 812)
    assert "runs nvidia-smi, and it is not there" in first.title


def test_a_tool_that_a_shell_ran_and_that_failed_is_there() -> None:
    assert answer(_runs_by_shell("nvidia-smi -q -x", 9)).rule != "tool-missing"


def _runs_tool(*codes: int, argv: tuple[str, ...] = ("/usr/bin/nvidia-smi", "-L"), said: str = "") -> Story:
    """A program runs a tool as often as there are statuses; its words went into the program's pipe."""
    story = Story(can=(*CHANNELS, "exit-status"))
    story.process(812, ("/usr/bin/python3", "train.py"))
    story.tell(LogFound(at=story.later(), source=1, name="pipe", kind="pipe", why="seen in the kernel"))
    for pid, code in enumerate(codes, start=813):
        story.process(pid, argv, parent=812)
        line = LogLine(number=pid, text=said, pid=pid)
        story.tell(LogRead(at=story.later(), source=1, lines=[line] if said else [], lines_total=1))
        story.end(pid, code)
    story.end(812)
    return story


def test_a_tool_of_devices_that_failed_is_why_who_ran_it_asked_for_no_gpu() -> None:
    first = answer(_runs_tool(9, said="NVIDIA-SMI has failed: no driver"))
    assert (first.rule, first.pid) == ("tool-failed", 812)
    assert "train.py) ran nvidia-smi, which ended with code 9: NVIDIA-SMI has failed: no driver" in first.title
    assert first.command == "/usr/bin/nvidia-smi -L"


def test_a_tool_that_succeeded_in_the_end_or_tells_nothing_of_devices_blames_nothing() -> None:
    assert answer(_runs_tool(9, 0)).rule == "nobody-asked"
    assert answer(_runs_tool(1, argv=("/usr/bin/lsof", "-i"))).rule == "nobody-asked"
    assert answer(_runs_tool(127)).rule != "tool-failed", "a shell that found no tool is told as that"


def test_a_tool_that_tells_nothing_of_devices_is_of_no_matter() -> None:
    assert answer(_runs_by_shell("lsof -i", 127)).rule != "tool-missing"
