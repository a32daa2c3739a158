"""OpenGL by EGL: a software driver, one that cannot be loaded; beside an API to compute with it decides nothing."""

from inspector.stream.calls import CallCount, CallerCount, CallersCounted, CallsCounted, FileOpened

from ..asking import BACKEND, answer, findings
from ..build import Story
from .asking import decision
from .test_decision import CHANNELS

EGL = "/usr/lib/libEGL.so.1"
DRAWS = ("eglInitialize", "eglCreateContext")


def _draws() -> Story:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/renders",))
    story.look_up(812, "dlopen", "libEGL.so.1", answer=EGL, by="/usr/bin/renders")
    story.image(EGL, soname="libEGL.so.1", exports=DRAWS)
    story.map(812, EGL)
    return story


def test_a_software_driver_draws_on_the_cpu() -> None:
    story = _draws()
    story.map(812, "/usr/lib/dri/swrast_dri.so", "dlopen")
    story.look_up(812, "dlopen", "swrast_dri.so", answer="/usr/lib/dri/swrast_dri.so", by=EGL)
    story.end()
    assert (decision(story.state).verdict, decision(story.state).reason) == ("cpu", "software")
    assert "swrast_dri.so" in answer(story).title


def test_a_vendor_library_that_is_not_there_is_the_cause() -> None:
    story = _draws()
    error = "libnope.so.0: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libnope.so.0", found=False, by=EGL, error=error)
    story.end(812, 1)
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cpu", "likely")
    assert "libnope.so.0" in answer(story).title


def test_beside_a_refused_api_to_compute_with_it_decides_nothing() -> None:
    story = _draws()
    story.map(812, "/usr/lib/dri/swrast_dri.so", "dlopen")
    story.consumer(812, BACKEND)
    error = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libcuda.so.1", found=False, by=BACKEND, error=error)
    story.end()
    assert "libcuda.so.1" in answer(story).title


def test_what_a_device_draws_is_not_called_nobody_asked() -> None:
    story = _draws()
    story.map(812, "/usr/lib/dri/radeonsi_dri.so", "dlopen")
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/dri/renderD128", errno=0, writable=True))
    story.watch(EGL, DRAWS, returns=False)
    for name in DRAWS:
        number, at = story._functions[EGL, name], story.later()
        story.tell(CallsCounted(at=at, counts=[CallCount(pid=812, function=number, count=1, first=at, last=at)]))
        caller = CallerCount(pid=812, function=number, caller="/usr/bin/renders", count=1, first=at, last=at)
        story.tell(CallersCounted(at=at, counts=[caller]))
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/nvidia-modeset", errno=2))
    story.end()
    assert (decision(story.state).verdict, decision(story.state).reason) == ("undecided", "draws")
    assert "draws on a GPU (OpenGL) through radeonsi_dri.so" in answer(story).title
    assert not [one for one in findings(story) if one.severity == "error"]
