"""Programs that draw and find no display server."""

import pytest
from msgspec.structs import replace

from inspector.model.diagnosis import diagnose
from inspector.stream.processes import SignalDelivered
from inspector.stream.syscalls import SystemCallRefused

from .asking import answer, rules
from .build import Story

GAVE_UP = "Failed to create an OpenGL window"


def _ended(said: str, *, refused: str = "", **environment: str) -> Story:
    story = Story()
    story.process(812, environment=environment)
    if refused:
        story.tell(SystemCallRefused(
            at=story.later(), pid=812, tid=812, call="connect", errno=111, subject=refused,
        ))  # fmt: skip
    story.log(said)
    story.end(812, code=1)
    return story


def _without_display(said: str = GAVE_UP, signal: int = 0, setting: dict[str, str] | None = None) -> Story:
    story = Story()
    story.process(812, environment=setting or {})
    runs = story.state.processes[0].execs[-1]
    story.tell(replace(runs, at=story.later(), unset=["DISPLAY", "WAYLAND_DISPLAY"]))
    story.log(said)
    if signal:
        story.tell(SignalDelivered(at=story.later(), pid=812, tid=812, signal=signal, fatal=True))
        story.end(812, signal=signal)
    else:
        story.end(812, code=1)
    return story


def test_a_server_that_does_not_answer_is_named() -> None:
    finding = answer(_ended(GAVE_UP, refused="unix:/tmp/.X11-unix/X7", DISPLAY=":7"))
    assert (finding.rule, finding.confidence) == ("no-display", "likely")
    assert "connect(unix:/tmp/.X11-unix/X7) = ECONNREFUSED" in finding.title
    assert "DISPLAY=:7" in finding.cause


def test_a_wayland_compositor_is_a_server_as_well() -> None:
    assert answer(_ended(GAVE_UP, refused="unix:/run/user/1000/wayland-0")).rule == "no-display"


def test_other_sockets_are_no_display_server() -> None:
    assert "no-display" not in rules(_ended(GAVE_UP, refused="unix:/run/nscd/socket"))


def test_what_has_nothing_to_do_with_a_display_is_not_blamed_on_one() -> None:
    assert "no-display" not in rules(_ended("no such model", refused="unix:/tmp/.X11-unix/X7"))


@pytest.mark.parametrize("setting", [{"EGL_PLATFORM": "surfaceless"}, {"SDL_VIDEODRIVER": "dummy"}])
def test_who_draws_without_a_server_does_not_lack_one(setting: dict[str, str]) -> None:
    assert answer(_without_display()).rule == "no-display"
    assert "no-display" not in rules(_without_display(setting=setting))


def test_a_fall_after_the_words_that_there_is_none_is_told_by_these() -> None:
    story = _without_display("qt.qpa.xcb: could not connect to display", signal=6)
    assert "could not connect to display" in answer(story).cause
    assert answer(_without_display("loading the model", signal=6)).rule == "child-crashed"


def test_the_mode_is_that_of_a_program_that_ended() -> None:
    assert diagnose(_ended(GAVE_UP, refused="unix:/tmp/.X11-unix/X7").state).mode.verdict == "cpu"
