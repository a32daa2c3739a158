"""Rules about which file is mapped."""

from inspector.stream.libraries import CandidateFound, PreloadChecked

from ..asking import BACKEND, CPU, SHIM, answer, found, healthy, rules, rung, working
from ..build import DRIVER, MS, Story

VENDOR = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"


def test_a_path_that_the_processs_own_tree_lacks_is_hidden_by_its_namespace() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM}, own_root=True, mount_namespace=4026532, root="/")
    story.tell(
        PreloadChecked(at=story.later(), pid=812, source="LD_PRELOAD", entry=SHIM, usable=False, problem="no such file")
    )
    finding = answer(story)
    assert finding.rule == "hidden-by-namespace" and SHIM in finding.title
    assert f"/proc/812/root{SHIM}" in finding.command
    assert "preload-entry-unusable" not in rules(story)


def test_an_entry_that_its_user_may_not_read_is_there_in_any_file_tree() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM}, own_root=True, mount_namespace=4026532, root="/")
    refused = f"its user may not read {SHIM}"
    event = {"source": "LD_PRELOAD", "entry": SHIM, "usable": False, "problem": refused, "there": True}
    story.tell(PreloadChecked(at=story.later(), pid=812, **event))  # type: ignore[arg-type]
    finding = answer(story)
    assert finding.rule == "preload-entry-unusable" and refused in finding.title
    assert "let its user read" in finding.next_step
    assert "hidden-by-namespace" not in rules(story)


def test_a_child_has_the_entries_of_its_parent_and_their_fault() -> None:
    story = Story()
    entries = {"LD_PRELOAD": SHIM}
    story.process(812, environment=entries, own_root=True, mount_namespace=4026532)
    story.tell(PreloadChecked(at=story.later(), pid=812, source="LD_PRELOAD", entry=SHIM, usable=False, problem="gone"))
    story.process(850, parent=812, environment=entries, own_root=True, mount_namespace=4026532)
    words = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(850, "dlopen", BACKEND, False, error=words, tried=[(BACKEND, 0)])
    story.end(850)
    finding = answer(story)
    assert [finding.rule, finding.pid] == ["hidden-by-namespace", 850]
    assert finding.command == f"ls -l /proc/812/root{SHIM}", "the child is gone, its parent sees the same files"
    story.end(812)
    assert answer(story).command == "inspector --wait server", "from outside the file would be there"


def _changed(state: str, *, ended: bool = False) -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND, library=SHIM)
    base = next(iter(story.state.current[812].libraries))
    story.map(812, SHIM, "preload", base=base, state=state, state_detail="on disk inode 91, 6 min newer")
    if ended:
        story.end(812)
    story.log(CPU)
    return story


def test_an_old_file_that_still_runs_is_the_first_thing_to_know() -> None:
    for state in ("replaced", "deleted", "modified"):
        finding = answer(_changed(state))
        assert (finding.rule, finding.confidence) == ("stale-artefact", "proven")
        assert "libshim-a.so" in finding.title and state in finding.title and "6 min newer" in finding.title
    assert rung(_changed("deleted"), "mapped").state == "no"


def test_a_file_that_is_gone_has_to_be_put_back_before_a_restart() -> None:
    gone, changed, new = (answer(_changed(state)) for state in ("deleted", "modified", "replaced"))
    assert gone.next_step.startswith("put libshim-a.so back, then restart PID 812")
    assert gone.command == "grep libshim-a.so /proc/812/maps"
    assert "by renaming" in changed.next_step and "renam" not in gone.next_step + new.next_step


def test_a_current_file_or_a_dead_process_is_not_stale() -> None:
    assert rules(_changed("current"))[0] == "api-error"
    assert "stale-artefact" not in rules(_changed("replaced", ended=True))


def test_a_replaced_system_library_is_no_matter_here() -> None:
    story = healthy()
    story.image("/lib/libc.so.6", soname="libc.so.6")
    base = story.map(812, "/lib/libc.so.6")
    story.map(812, "/lib/libc.so.6", base=base, state="replaced")
    assert rules(story) == ["gpu-in-use"]


def _two_drivers(*, init: int, in_second: int) -> Story:
    story = Story()
    story.process(812)
    story.driver(812, "/a/libcuda.so.1")
    story.driver(812, "/b/libcuda.so.1")
    story.call(812, "cuInit", init, by=BACKEND, library="/a/libcuda.so.1")
    story.call(812, "cuDeviceGetCount", in_second, by=BACKEND, library="/b/libcuda.so.1", values={"count": 0})
    story.end(812)
    return story


def test_what_one_copy_was_told_the_other_does_not_know() -> None:
    finding = answer(_two_drivers(init=0, in_second=3))
    assert (finding.rule, finding.confidence) == ("two-copies", "proven")
    assert "cuInit ran in /a/libcuda.so.1, cuDeviceGetCount in /b/libcuda.so.1" in finding.title
    assert "CUDA_ERROR_NOT_INITIALIZED" in finding.title


def test_another_error_in_a_second_library_is_not_blamed_on_two_copies() -> None:
    assert "two-copies" not in rules(_two_drivers(init=0, in_second=999))


def test_a_shim_in_front_of_a_driver_that_it_calls_is_no_second_copy() -> None:
    story = Story()
    story.process(812)
    story.driver(812, SHIM, "preload", soname=None)
    story.driver(812, VENDOR)
    story.consumer(812, BACKEND)
    working(story, library=SHIM)
    for name in ("cuInit", "cuLaunchKernel"):
        story.call(812, name, by=SHIM, library=VENDOR)
    assert rules(story) == ["gpu-in-use"]


def _candidate(story: Story, path: str, **facts: str) -> None:
    story.image(path, soname=facts.get("soname", "libcuda.so.1"), exports=DRIVER)
    directory = path.rsplit("/", 1)[0]
    story.tell(
        CandidateFound(
            at=story.later(), pid=812, profile="cuda-driver", path=path, file=story.file(path), directory=directory,
            kind="provider",
        )
    )  # fmt: skip


def _searched(result: int) -> Story:
    story = Story()
    story.process(812, environment={"LD_LIBRARY_PATH": "/vendor:/shim"})
    story.driver(812, "/vendor/libcuda.so.1", asked="libcuda.so.1")
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", result, by=BACKEND, library="/vendor/libcuda.so.1")
    _candidate(story, "/shim/libcuda.so.1")
    story.log(CPU)
    return story


def test_the_first_of_two_folders_wins_the_name() -> None:
    finding = answer(_searched(100))
    assert (finding.rule, finding.confidence) == ("other-library-first", "likely")
    assert "/vendor/libcuda.so.1 (place 1 of LD_LIBRARY_PATH)" in finding.title
    assert "/shim/libcuda.so.1 (place 2 of LD_LIBRARY_PATH)" in finding.title


def test_a_library_that_works_is_not_blamed_for_being_first() -> None:
    assert "other-library-first" not in rules(_searched(0))


def _linked(result: int) -> Story:
    story = Story()
    story.process(812)
    real = "/app/libcudart.so.12.8.90"
    names = ["cudaGetDeviceCount", "cudaMalloc", "__cudaRegisterFatBinary"]
    story.watch(real, names)
    story.image(real, soname="libcudart.so.12", exports=names)
    story.map(812, real, asked="libcudart.so.12", links=["/app/libcudart.so.12"])
    story.consumer(812, BACKEND, imports=["cudaGetDeviceCount"])
    story.call(812, "cudaGetDeviceCount", result, by=BACKEND, library=real)
    story.image("/shim/libvgpu-cudart.so", exports=names)
    story.tell(
        CandidateFound(
            at=story.later(), pid=812, profile="cuda-runtime", path="/shim/libvgpu-cudart.so",
            file=story.file("/shim/libvgpu-cudart.so"), directory="/shim", kind="provider",
        )
    )  # fmt: skip
    story.log(CPU)
    return story


def test_a_link_to_the_vendors_versioned_file_passes_the_shim_by() -> None:
    finding = answer(_linked(100))
    assert finding.rule == "link-chain-bypass"
    assert "libcudart.so.12 is a link to libcudart.so.12.8.90, not to libvgpu-cudart.so" in finding.title
    assert finding.next_step == "make /app/libcudart.so.12 a link to /shim/libvgpu-cudart.so"
    assert "link-chain-bypass" not in rules(_linked(0))


def test_a_preload_without_a_soname_answers_to_no_name() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload", soname=None)
    words = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", BACKEND, False, error=words, tried=[(BACKEND, 0)])
    story.end(812)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("name-mismatch", "proven")
    assert "no SONAME" in finding.title and "libcuda.so.1 not found" in finding.title


def test_a_preload_without_a_soname_beside_the_vendors_is_never_asked() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload", soname=None)
    story.driver(812, VENDOR, asked="libcuda.so.1")
    story.call(812, "cuInit", 100, by=BACKEND, library=VENDOR, took=MS)
    story.end(812)
    finding = answer(story)
    assert finding.rule == "name-mismatch" and "libshim-a.so" in finding.title


def test_a_preload_without_a_soname_that_is_called_is_no_fault() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload", soname=None)
    story.call(812, "cuInit", 100, by=BACKEND, library=SHIM)
    story.end(812)
    assert "name-mismatch" not in rules(story)
    assert found(story, "api-error")


def test_the_stub_is_the_driver_behind_the_runtime_that_passes_its_answer_on() -> None:
    story = Story()
    story.process(812)
    runtime = story.driver(812, "/opt/app/libcudart.so.13", soname="libcudart.so.13", exports=("cudaGetDeviceCount",))
    story.look_up(812, "dlopen", "libcuda.so.1", True, by=runtime, answer="/opt/stubs/libcuda.so.1")
    story.driver(812, "/opt/stubs/libcuda.so.1")
    story.call(812, "cudaGetDeviceCount", 34, by=BACKEND, library=runtime)
    assert answer(story).rule == "stub-library"
    assert answer(story).title.startswith("/opt/stubs/libcuda.so.1")
