"""Where a name is that was asked for in vain: which search answers for which process."""

from inspector.model.copies import usable_copies, where_is
from inspector.stream.libraries import CopiesFound, Copy

from .asking import answer
from .build import Story


def test_a_search_for_one_process_answers_for_another_one_that_asks_for_the_same_name() -> None:
    story = Story()
    story.process(812)
    story.process(813, parent=812)
    found = CopiesFound(at=story.later(), pid=812, kind="library", asked="libcuda.so.1")
    story.tell(found)
    first, second = story.state.processes
    assert where_is(story.state, first, "libcuda.so.1") is found
    assert where_is(story.state, second, "/opt/x/libcuda.so.1", "library") is found
    assert where_is(story.state, second, "libcuda.so.1", "symbol") is None
    assert where_is(story.state, second, "libcudart.so.12") is None


def test_an_own_search_comes_before_that_of_another_process() -> None:
    story = Story()
    story.process(812)
    story.process(813, parent=812)
    own = CopiesFound(at=story.later(), pid=812, kind="library", asked="libcuda.so.1", places=["/own"])
    story.tell(own)
    story.tell(CopiesFound(at=story.later(), pid=813, kind="library", asked="libcuda.so.1"))
    assert where_is(story.state, story.state.processes[0], "libcuda.so.1") is own


def test_copies_that_would_do_come_by_the_loaders_order_and_never_from_the_stubs() -> None:
    copies = [
        Copy(path="/host/libcuda.so.1", place="driver", outside=True, usable=True),
        Copy(path="/opt/cuda/compat/libcuda.so.1", place="compat", usable=True),
        Copy(path="/usr/local/cuda/lib64/stubs/libcuda.so", place="stubs", usable=True),
        Copy(path="/b/libcuda.so.1", place="LD_LIBRARY_PATH", rule="LD_LIBRARY_PATH", order=2, usable=True),
        Copy(path="/a/libcuda.so.1", place="LD_LIBRARY_PATH", rule="LD_LIBRARY_PATH", order=1, usable=False),
    ]
    found = CopiesFound(at=1, pid=1, kind="library", asked="libcuda.so.1", copies=copies)
    assert [copy.path for copy in usable_copies(found)] == [
        "/b/libcuda.so.1", "/opt/cuda/compat/libcuda.so.1", "/host/libcuda.so.1",
    ]  # fmt: skip


def test_a_search_that_saw_no_folder_does_not_say_that_the_file_is_nowhere() -> None:
    story = Story()
    story.process(812)
    words = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libcuda.so.1", False, by="/opt/app/server", error=words)
    story.tell(CopiesFound(at=story.later(), pid=812, kind="library", asked="libcuda.so.1"))
    told = answer(story)
    assert told.rule == "lookup-failed" and "is not on this machine" not in told.cause
    story.tell(CopiesFound(at=story.later(), pid=812, kind="library", asked="libcuda.so.1", places=["/usr/lib"]))
    assert "none of the 1 directories" in answer(story).cause or "None of" in answer(story).cause


WORDS = "libcuda.so.1: cannot open shared object file: No such file or directory"


def asked_in_vain(*copies: Copy) -> Story:
    """A program that asks for the driver in vain, and what the search for it met."""
    story = Story()
    story.process(812)
    story.look_up(812, "dlopen", "libcuda.so.1", False, by="/opt/app/server", error=WORDS)
    places = ["/usr/lib"]
    story.tell(CopiesFound(
        at=story.later(), pid=812, kind="library", asked="libcuda.so.1", copies=list(copies), places=places
    ))  # fmt: skip
    return story


def test_a_driver_in_a_folder_that_the_search_does_not_know_is_named_in_place_of_a_package() -> None:
    story = asked_in_vain()
    story.process(813, parent=812)
    story.map(813, "/srv/driver/libcuda.so.1")
    assert answer(story).next_step == "put /srv/driver first in LD_LIBRARY_PATH of this program"


def test_a_driver_that_no_setting_brings_in_is_made_known_to_ldconfig() -> None:
    story = asked_in_vain(Copy(path="/usr/lib/nvidia/libcuda.so.1", place="driver", usable=True))
    assert answer(story).next_step == "add /usr/lib/nvidia to a file in /etc/ld.so.conf.d, then run ldconfig"


def test_what_hinders_a_driver_that_is_there_is_mended_before_a_package_is_installed() -> None:
    path = "/usr/lib/nvidia/libcuda.so.1"
    denied = Copy(path=path, place="driver", usable=False, problem="permission denied")
    assert answer(asked_in_vain(denied)).next_step == f"let the user of this process read {path}"
    needs = "libnvidia-ptx.so.1: cannot open shared object file: No such file or directory"
    lacking = Copy(path=path, place="driver", usable=False, problem=needs)
    told = answer(asked_in_vain(lacking)).next_step
    assert told == "bring libnvidia-ptx.so.1, which libcuda.so.1 needs, to the library path"
    foreign = Copy(path=path, place="driver", usable=False, problem="wrong ELF class: ELFCLASS32")
    assert answer(asked_in_vain(foreign)).next_step == "install the package that provides libcuda.so.1"


def test_another_release_of_a_library_is_named_and_no_link_to_it_is_advised() -> None:
    story = Story()
    story.process(812)
    words = "libdrm_amdgpu.so.9: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "/opt/rocm/libamdhip64.so", False, by="/opt/app/server", error=words)
    there = "/usr/lib/libdrm_amdgpu.so.1"
    copy = Copy(path=there, place="system", usable=True, brought_by=f"/usr/lib/libdrm_amdgpu.so.9 -> {there}")
    story.tell(CopiesFound(at=story.later(), pid=812, kind="library", asked="libdrm_amdgpu.so.9", copies=[copy]))
    told = answer(story)
    assert "only another release is there" in told.cause.lower()
    assert told.next_step.startswith("install the release that has libdrm_amdgpu.so.9")
