"""A process that dies of a file that is cut short: the file is told, also where it was asked for by its bare name."""

from inspector.stream.libraries import CandidateFound
from inspector.stream.processes import SignalDelivered

from .asking import answer
from .build import Story

CUT = "/opt/driver/libcuda.so.1"
SHORT = "truncated: 464 bytes expected at offset 11,768, the file has 9,297"


def _dies(asked: str, *tried: str, error: str = SHORT) -> Story:
    story = Story()
    story.process(812)
    story.image(CUT, error=error)
    story.tell(CandidateFound(at=story.later(), pid=812, profile="", path=CUT, file=story.file(CUT),
                              directory="/opt/driver", kind="provider"))  # fmt: skip
    story.tell(
        SignalDelivered(at=story.later(), pid=812, tid=812, signal=7, si_code=2, fatal=True, ip=0x7F00_0000_1000)
    )
    story.look_up(812, "dlopen", asked, None, tried=[(one, 0) for one in tried])
    story.end(812, signal=7)
    return story


def test_a_library_that_is_cut_short_is_told_where_its_load_ended_the_process() -> None:
    found = answer(_dies("libcuda.so.1", CUT))
    assert CUT in found.title and "truncated" in found.title


def test_a_library_that_the_asked_one_needs_is_told_as_well() -> None:
    found = answer(_dies("libcublas.so.12", "/opt/driver/libcublas.so.12", CUT))
    assert CUT in found.title and "truncated" in found.title


def test_a_whole_file_is_not_blamed_for_a_page_that_could_not_be_had() -> None:
    found = answer(_dies("libcuda.so.1", CUT, error=""))
    assert found.rule == "child-crashed" and "SIGBUS" in found.title and "end" in found.cause
