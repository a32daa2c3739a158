"""Rules about variables: did they reach the process, does its loader honour them?"""

import pytest

from inspector.model.diagnosis import diagnose
from inspector.stream.libraries import CopiesFound, Copy, PreloadChecked
from inspector.stream.machine import PreloadFileRead
from inspector.stream.processes import EnvironmentRead

from ..asking import BACKEND, CPU, SHIM, answer, found, healthy, rules, rung, working
from ..build import SECOND, Story


def test_a_static_program_gets_nothing_preloaded() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM}, static=True, interpreter=None)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("static-binary", "proven")
    assert "LD_PRELOAD" in finding.title
    assert rung(story, "environment").state == "no"
    story.tell(PreloadChecked(at=story.later(), pid=812, entry=SHIM, source="LD_PRELOAD", usable=False, problem="gone"))
    assert rules(story) == ["static-binary"]


def test_a_static_program_with_two_variables_is_told_in_one_sentence() -> None:
    story = Story()
    folders = {"LD_PRELOAD": SHIM, "LD_LIBRARY_PATH": "/opt"}
    story.process(812, environment=folders, static=True, interpreter=None)
    assert answer(story).title.endswith("is statically linked: LD_PRELOAD and LD_LIBRARY_PATH have no effect")


def test_a_static_program_that_loads_by_itself_reads_the_search_path() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM, "LD_LIBRARY_PATH": "/opt"}, static=True, interpreter=None)
    story.image(BACKEND)
    story.map(812, BACKEND, "dlopen")
    assert answer(story).title.endswith("is statically linked: LD_PRELOAD has no effect")


def test_an_entry_of_a_preload_that_was_ignored_is_told_beside_a_gpu_in_use() -> None:
    story = healthy()
    for entry, usable in ((SHIM, True), ("/opt/gone.so", False)):
        problem = "" if usable else "no such file"
        story.tell(PreloadChecked(
            at=story.later(), pid=812, entry=entry, source="LD_PRELOAD", usable=usable, problem=problem))  # fmt: skip
    assert found(story, "gpu-in-use").cause == "1 of 2 entries of LD_PRELOAD is ignored: gone.so (no such file)."


@pytest.mark.parametrize(
    ("problem", "step"),
    [
        ("no such file", "put the file there, or remove the entry"),
        ("wrong ELF class: ELFCLASS32", "replace it with a library that this program can load, or remove the entry"),
    ],
)
def test_what_is_to_be_done_about_an_entry_depends_on_what_is_wrong_with_it(problem: str, step: str) -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    entry = PreloadChecked(at=story.later(), pid=812, entry=SHIM, source="LD_PRELOAD", usable=False, problem=problem)
    story.tell(entry)
    assert found(story, "preload-entry-unusable").next_step == step


def test_a_static_program_without_loader_variables_is_no_fault() -> None:
    story = Story()
    story.process(812, static=True, interpreter=None)
    assert rules(story) == []


def test_a_static_launcher_of_a_working_program_is_not_blamed() -> None:
    story = Story()
    story.process(800, ("/opt/start",), environment={"LD_PRELOAD": SHIM}, static=True)
    story.process(812, parent=800, environment={"LD_PRELOAD": SHIM})
    story.driver(812)
    story.consumer(812, BACKEND)
    story.log(CPU)
    assert "static-binary" not in rules(story)


def test_a_secure_program_ignores_the_search_path() -> None:
    story = Story()
    environment = {"LD_LIBRARY_PATH": "/opt/shim"}
    story.process(812, environment=environment, secure=True, capabilities_added="cap_net_bind_service")
    words = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libcuda.so.1", False, by="/opt/app/server", error=words)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("loader-ignores-environment", "proven")
    assert "LD_LIBRARY_PATH" in finding.title and "cap_net_bind_service" in finding.title


def test_an_ordinary_program_honours_the_search_path() -> None:
    story = Story()
    story.process(812, environment={"LD_LIBRARY_PATH": "/opt/shim"}, secure=False)
    assert rules(story) == []


def _child_with(environment: dict[str, str], *, source: str = "exec") -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload", soname=None)
    story.process(850, ("/opt/app/server", "runner"), parent=812, environment=environment, environment_source=source)
    story.image(BACKEND, imports=["cuInit"], needed=["libcuda.so.1"])
    words = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(850, "dlopen", BACKEND, False, by="/opt/app/server", error=words, tried=[(BACKEND, 0)])
    story.end(850)
    story.log(CPU)
    return story


def test_a_preload_that_the_child_lost_is_the_cause_of_what_it_does_not_find() -> None:
    finding = answer(_child_with({}))
    assert (finding.rule, finding.confidence, finding.pid) == ("environment-lost", "proven", 850)
    assert "LD_PRELOAD of PID 812" in finding.title
    assert "libcuda.so.1 not found" in finding.cause


def test_an_environment_read_late_makes_it_likely_only() -> None:
    assert answer(_child_with({}, source="proc")).confidence == "likely"


def test_a_preload_that_reached_the_child_is_not_called_lost() -> None:
    assert "environment-lost" not in rules(_child_with({"LD_PRELOAD": SHIM}))


def test_an_allocator_that_a_child_does_not_inherit_is_nothing_to_tell() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"})
    story.image(
        "/usr/lib/libjemalloc.so.2", soname="libjemalloc.so.2", exports=["malloc"], overrides=["malloc", "free"]
    )
    story.map(812, "/usr/lib/libjemalloc.so.2", "preload")
    story.process(850, ("/bin/date",), parent=812, environment={})
    story.end(850)
    assert rules(story) == []


def test_a_program_that_replaced_itself_without_the_variable_lost_it() -> None:
    story = Story()
    story.process(812, ("/bin/sh", "start"), environment={"LD_LIBRARY_PATH": "/srv/shim"})
    story.execute(812, ("/opt/app/direct",), environment={}, environment_source="exec")
    words = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libcuda.so.1", False, by="/opt/app/direct", error=words)
    assert answer(story).rule == "environment-lost"


def _preload(usable: bool, *, words: str = "", problem: str = "no such file") -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": f"/x/first.so:{SHIM}"})
    story.tell(
        PreloadChecked(
            at=story.later(),
            pid=812,
            source="LD_PRELOAD",
            entry=SHIM,
            path=None,
            usable=usable,
            problem=problem,
            words=words,
        )
    )
    return story


def test_an_entry_that_is_not_there_is_named_with_its_place_in_the_list() -> None:
    finding = answer(_preload(False, words="object cannot be preloaded: ignored."))
    assert (finding.rule, finding.severity, finding.confidence) == ("preload-entry-unusable", "error", "proven")
    assert f"entry 2 of LD_PRELOAD, {SHIM}" in finding.title
    assert finding.cause == "object cannot be preloaded: ignored."


def test_a_usable_entry_is_nothing_to_tell() -> None:
    assert rules(_preload(True)) == []


def test_a_missing_entry_beside_a_shim_that_works_is_a_warning_behind_the_answer() -> None:
    story = _preload(False)
    story.driver(812, "/x/first.so", "preload")
    story.consumer(812, BACKEND)
    working(story, library="/x/first.so")
    assert rules(story) == ["gpu-in-use", "preload-entry-unusable"]
    assert found(story, "preload-entry-unusable").severity == "warning"


def test_the_loaders_own_line_in_a_log_is_told() -> None:
    story = Story()
    story.process(812)
    line = "ERROR: ld.so: object '/a/b.so' from LD_PRELOAD cannot be preloaded (wrong ELF class: ELFCLASS32): ignored."
    story.log(line)
    finding = found(story, "preload-entry-unusable")
    assert "/a/b.so of LD_PRELOAD was ignored" in finding.title and "ELFCLASS32" in finding.title


def test_a_file_for_every_process_is_a_warning_that_hides_no_answer() -> None:
    story = _preload(False)
    other = "/opt/libother.so"
    story.tell(
        PreloadFileRead(
            at=story.later(), path="/etc/ld.so.preload", entries=[SHIM, other], carriers=41, carrier_names=["sshd"]
        )
    )
    assert rules(story) == ["preload-entry-unusable", "global-preload"]
    finding = found(story, "global-preload")
    assert "libother.so" in finding.title and "libshim-a.so" not in finding.title  # what ld.so ignores it loads nowhere
    assert finding.severity == "warning" and "41 processes" in finding.title


def test_an_empty_preload_file_is_no_fault() -> None:
    story = healthy()
    story.tell(PreloadFileRead(at=story.later(), path="/etc/ld.so.preload", entries=[]))
    assert rules(story) == ["gpu-in-use"]


def test_a_file_for_every_process_outranks_good_news_except_in_a_container() -> None:
    story = healthy()
    story.tell(PreloadFileRead(at=story.later(), path="/etc/ld.so.preload", entries=[SHIM]))
    assert rules(story) == ["global-preload", "gpu-in-use"]
    boxed = Story()
    boxed.process(812, container="abc")
    boxed.driver(812)
    boxed.consumer(812, BACKEND)
    working(boxed)
    boxed.tell(PreloadFileRead(at=boxed.later(), path="/etc/ld.so.preload", entries=[SHIM]))
    assert rules(boxed) == ["gpu-in-use", "global-preload"]


def _visible(value: str | None, result: int) -> Story:
    story = Story()
    story.process(812, environment={} if value is None else {"CUDA_VISIBLE_DEVICES": value})
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", result, by=BACKEND)
    story.log(CPU)
    return story


def test_an_empty_value_hides_all_devices_and_takes_in_the_error_that_it_causes() -> None:
    story = _visible("", 100)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("visible-devices-hidden", "proven")
    assert "(empty)" in finding.title and "CUDA_ERROR_NO_DEVICE" in finding.title
    assert "api-error" not in rules(story)


def test_a_variable_is_taken_out_where_it_came_in() -> None:
    assert answer(_visible("", 100)).command == "env -u CUDA_VISIBLE_DEVICES /opt/app/server"
    story = Story()
    story.process(812)
    story.process(850, parent=812, environment={"CUDA_VISIBLE_DEVICES": ""})
    story.driver(850)
    story.consumer(850, BACKEND)
    story.call(850, "cuInit", 100, by=BACKEND)
    story.log(CPU)
    assert answer(story).command.startswith("diff <("), "the server does not have it: it gives it to its child"


def test_a_foreign_id_with_no_device_is_likely_the_cause() -> None:
    finding = answer(_visible("GPU-0000", 100))
    assert (finding.rule, finding.confidence) == ("visible-devices-hidden", "likely")
    assert finding.doubt


def test_a_filter_is_not_blamed_for_another_error_nor_without_a_filter() -> None:
    assert rules(_visible("0", 999))[0] == "api-error"
    assert rules(_visible(None, 100))[0] == "api-error"


def test_a_filter_that_keeps_the_first_device_is_not_blamed() -> None:
    assert rules(_visible("0,1", 100)) == ["api-error"]


def test_a_filter_of_another_vendor_is_not_blamed() -> None:
    story = Story()
    story.process(812, environment={"HIP_VISIBLE_DEVICES": ""})
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    assert rules(story) == ["api-error"]
    assert rung(story, "environment").state == "yes"


def test_hidden_devices_break_the_rung_of_the_environment() -> None:
    assert rung(_visible("-1", 100), "environment").state == "no"
    assert rung(_visible("-1", 0), "environment").state == "yes"


def test_an_empty_value_in_a_process_that_never_asked_is_a_choice_and_no_refusal() -> None:
    story = Story()
    story.process(812, environment={"CUDA_VISIBLE_DEVICES": ""})
    story.consumer(812, BACKEND)
    story.log(CPU)
    assert "visible-devices-hidden" not in rules(story)
    finding = found(story, "cpu-chosen")
    assert finding.confidence == "likely" and "CUDA_VISIBLE_DEVICES=(empty)" in finding.title


def test_a_variable_that_nobody_reads_is_named_as_such() -> None:
    story = healthy()
    story.process(900, parent=812, environment={"OLLAMA_NUM_GPU": "999"})
    finding = found(story, "setting-without-effect")
    assert finding.severity == "info" and "num_gpu" in finding.cause
    assert "setting-without-effect" not in rules(healthy())


def test_the_shims_calls_are_told_apart_when_the_server_is_healthy() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.call(812, "cuInit", by=SHIM, library=SHIM)
    story.process(850, ("/opt/app/server", "runner"), parent=812, environment={"LD_PRELOAD": SHIM})
    story.driver(850, SHIM, "preload")
    story.consumer(850, BACKEND)
    working(story, 850, library=SHIM)
    assert rules(story)[0] == "gpu-in-use"
    assert all(finding.severity == "info" for finding in diagnose(story.state).findings)


def _set_inside(found: CopiesFound | None) -> Story:
    """A program adds a folder to its own search path, and is refused a library that its backend needs."""
    story = Story()
    story.process(812, ("/opt/app/server",))
    later = {"LD_LIBRARY_PATH": "/opt/app/lib64"}
    story.tell(EnvironmentRead(
        at=story.later(), pid=812, why="dlopen refused", environment=later, changed=list(later)))  # fmt: skip
    words = "libneeded.so.5: cannot open shared object file: No such file or directory"
    story.image(BACKEND, imports=["cuInit"], needed=["libneeded.so.5"])
    story.look_up(812, "dlopen", BACKEND, False, by="/opt/app/server", error=words, tried=[(BACKEND, 0)])
    if found is not None:
        story.tell(found)
    story.end(812, code=1)
    return story


def test_a_variable_that_was_set_too_late_is_the_cause_only_where_its_folder_has_the_file() -> None:
    there = CopiesFound(
        at=200 * SECOND, pid=812, kind="library", asked="libneeded.so.5",
        copies=[Copy(path="/opt/app/lib64/libneeded.so.5", place="LD_LIBRARY_PATH")])  # fmt: skip
    assert answer(_set_inside(there)).rule == "set-too-late"
    assert answer(_set_inside(None)).rule == "dependency-missing"
    nowhere = CopiesFound(at=200 * SECOND, pid=812, kind="library", asked="libneeded.so.5", places=["/usr/lib"])
    assert answer(_set_inside(nowhere)).rule == "dependency-missing"


def test_a_search_path_that_the_child_lost_is_no_cause_where_the_file_lies_nowhere() -> None:
    def child(*told: CopiesFound) -> str:
        story = Story()
        story.process(812, environment={"LD_LIBRARY_PATH": "/opt/cuda/lib64"})
        story.process(850, ("/opt/app/server", "runner"), parent=812, environment_source="exec")
        words = "libcuda.so.1: cannot open shared object file: No such file or directory"
        story.look_up(850, "dlopen", "libcuda.so.1", False, by="/opt/app/server", error=words)
        for one in told:
            story.tell(one)
        story.end(850)
        story.log(CPU)
        return answer(story).rule

    nowhere = CopiesFound(at=200 * SECOND, pid=850, kind="library", asked="libcuda.so.1", places=["/usr/lib"])
    assert child() == "environment-lost"
    assert child(nowhere) == "lookup-failed"
