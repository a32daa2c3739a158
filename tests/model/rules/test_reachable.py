"""Rules about who could call."""

from inspector.model.decision import CONTRADICTING
from inspector.stream.calls import LoaderRefused
from inspector.stream.libraries import CandidateFound, Dependency, LoadPredicted, SearchStep
from inspector.stream.processes import SignalDelivered

from ..asking import BACKEND, CPU, SHIM, answer, findings, found, healthy, rules, rung, working
from ..build import SECOND, Story

MISSING = "libcublasLt.so.12: cannot open shared object file: No such file or directory"


def _server() -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    return story


def _candidate(story: Story, folder: str = "cuda_v12", path: str = BACKEND) -> None:
    story.image(path, imports=["cuInit"], needed=["libcublasLt.so.12"])
    directory = f"/opt/app/lib/ollama/{folder}"
    file = story.file(path)
    story.tell(CandidateFound(at=story.later(), pid=812, profile="ollama", path=path, file=file, directory=directory))


def test_a_missing_dependency_is_the_answer_in_the_loaders_own_words() -> None:
    story = _server()
    story.process(850, ("/opt/app/server", "runner"), parent=812, environment={"LD_PRELOAD": SHIM})
    story.driver(850, SHIM, "preload", watch=False)
    story.look_up(850, "dlopen", BACKEND, False, by="/opt/app/server", error=MISSING, tried=[(BACKEND, 0)])
    story.end(850)
    story.log(CPU)
    finding = answer(story)
    assert (finding.rule, finding.confidence, finding.pid) == ("dependency-missing", "proven", 850)
    assert "libbackend.so failed to load in PID 850 (server): libcublasLt.so.12 not found" in finding.title
    assert MISSING in finding.cause
    assert "not-called" not in rules(story)
    assert rung(story, "reachable", 850).state == "no"


def test_what_a_refused_load_had_mapped_is_no_consumer() -> None:
    story = _server()
    asked = story.later()
    story.consumer(812, BACKEND)
    story.look_up(812, "dlopen", BACKEND, False, by="/opt/app/server", error=MISSING, entered=asked)
    story.consumer(812, "/opt/app/lib/told-late.so")
    assert rung(story, "reachable").detail.startswith("libbackend.so failed to load")
    assert rules(story)[0] == "dependency-missing"


def test_a_module_that_has_to_do_with_no_api_may_fail_to_load() -> None:
    story = _server()
    module = "/opt/app/lib/tbbpool.so"
    story.image(module, imports=["printf"], needed=["libtbb.so.12"])
    words = "libtbb.so.12: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", module, False, by="/opt/app/server", error=words)
    story.end(812)
    assert "dependency-missing" not in rules(story)


def test_a_question_whether_a_library_is_loaded_is_no_failed_load() -> None:
    story = _server()
    story.look_up(812, "dlopen", "libcudart.so.13", False, by="/opt/app/server", flags=6)
    story.end(812)
    assert "backend-load-failed" not in rules(story)


def test_a_module_without_which_the_api_was_reached_is_not_the_answer() -> None:
    story = _server()
    story.look_up(812, "dlopen", "/opt/app/lib/tensor.so", False, by="/opt/app/server", error=MISSING)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND, library=SHIM)
    story.end(812)
    assert rules(story)[0] == "api-error"
    assert "dependency-missing" not in rules(story)


def _without_plug_in(path: str, *said: str, code: int = 0) -> tuple[str, str, str]:
    """What is said of a program that does not find a plug-in and ends."""
    story = Story(can=(*CONTRADICTING, "exit-status"))
    story.process(812)
    absent = f"{path}: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", path, False, by="/opt/app/server", error=absent)
    if said:
        story.log(*said)
    story.end(812, code)
    finding = answer(story)
    return finding.rule, finding.severity, finding.confidence


def test_a_plug_in_whose_absence_was_taken_without_a_word_may_be_optional() -> None:
    assert _without_plug_in("/opt/app/plugins/libaccel_cuda.so") == ("lookup-failed", "warning", "guess")


def test_a_plug_in_that_the_program_misses_is_needed_and_so_is_the_driver_itself() -> None:
    plug_in = "/opt/app/plugins/libaccel_cuda.so"
    assert _without_plug_in(plug_in, "could not load the CUDA backend, using CPU")[1] == "error"
    assert _without_plug_in(plug_in, code=1)[1] == "error"
    assert _without_plug_in("/usr/lib/wsl/lib/libcuda.so.1")[1] == "error"


def test_two_backends_of_one_file_name_fail_each_for_its_own_reason() -> None:
    story = _server()
    for folder, missing in (("new", "libcublas.so.13"), ("old", "libcudart.so.12")):
        words = f"{missing}: cannot open shared object file: No such file or directory"
        story.look_up(812, "dlopen", f"/opt/{folder}/libbackend.so", False, by="/opt/app/server", error=words)
    story.end(812)
    titles = [finding.title for finding in findings(story) if finding.rule == "dependency-missing"]
    assert len(titles) == 2 and "libcublas.so.13" in titles[0] and "libcudart.so.12" in titles[1]


def test_a_predicted_missing_dependency_is_likely_and_shows_where_it_was_looked_for() -> None:
    story = _server()
    _candidate(story)
    steps = [SearchStep(path="/lib/libcublasLt.so.12", rule="default", result="no such file")]
    missing = [Dependency(name="libcublasLt.so.12", path=None, by="/x/libcublas.so.12", steps=steps)]
    story.tell(LoadPredicted(at=story.later(), pid=812, name=BACKEND, ok=False, words=MISSING, missing=missing))
    assert "dependency-missing" not in rules(story)  # nobody was seen to ask for it
    story.state.processes[0].origin = "attach"
    story.log(CPU)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("dependency-missing", "likely")
    assert "(needed by libcublas.so.12)" in finding.title and finding.doubt
    assert any("/lib/libcublasLt.so.12 (default): no such file" in row.text for row in finding.evidence)


def test_a_prediction_about_a_file_that_is_mapped_is_void() -> None:
    story = healthy()
    story.tell(LoadPredicted(at=story.later(), pid=812, name=BACKEND, ok=False, words=MISSING))
    assert rules(story) == ["gpu-in-use"]


def test_a_load_that_succeeds_at_the_second_try_is_no_fault() -> None:
    story = _server()
    story.look_up(812, "dlopen", "/usr/lib/wsl/lib/libnvidia-ml.so.1", False, error=f"x: {MISSING}")
    story.look_up(812, "dlopen", "libnvidia-ml.so.1", True, answer="/lib/libnvidia-ml.so.1")
    story.later(2 * SECOND)
    story.consumer(812, BACKEND)
    working(story, library=SHIM)
    assert rules(story) == ["gpu-in-use"]


def test_an_optional_library_that_is_not_there_is_nothing_to_tell() -> None:
    story = Story()
    story.process(812, ("/usr/bin/python3",))
    words = "libgomp.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libgomp.so.1", False, error=words)
    story.end(812)
    assert rules(story) == []


def test_a_program_that_the_loader_refused_at_its_start_is_told_in_the_loaders_words() -> None:
    story = Story()
    story.process(812)
    text = "cannot open shared object file: No such file or directory"
    story.tell(LoaderRefused(at=story.later(), pid=812, tid=812, object="libcudart.so.12", text=text))
    story.end(812, code=127)
    finding = answer(story)
    assert finding.rule == "dependency-missing" and "libcudart.so.12" in finding.title


def test_a_damaged_backend_is_told_with_the_loaders_words() -> None:
    story = _server()
    _candidate(story)
    words = f"{BACKEND}: file too short"
    story.look_up(812, "dlopen", BACKEND, False, by="/opt/app/server", error=words, tried=[(BACKEND, 0)])
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("backend-load-failed", "proven")
    assert "file too short" in finding.title


def test_a_backend_that_the_programs_log_calls_refused_is_told() -> None:
    story = _server()
    story.log("load_backend: failed to find ggml_backend_init in /opt/x/libggml-cuda.so")
    finding = found(story, "backend-load-failed")
    assert "libggml-cuda.so failed to load" in finding.title and finding.evidence[0].pane == "logs"


def test_the_loaders_words_in_a_log_name_the_missing_dependency() -> None:
    story = _server()
    story.log(f"load_backend: failed to load /opt/x/libggml-cuda.so: {MISSING}")
    finding = answer(story)
    assert finding.rule == "dependency-missing" and "libcublasLt.so.12" in finding.title


def test_a_file_that_is_cut_short_kills_whoever_loads_it() -> None:
    story = _server()
    words = f"{BACKEND}: truncated: 496 bytes expected at offset 7,632, the file has 1,252"
    story.look_up(812, "dlopen", BACKEND, None, by="/opt/app/server", tried=[(BACKEND, 0)])
    story.tell(LoadPredicted(at=story.later(), pid=812, name=BACKEND, ok=False, words=words))
    story.tell(SignalDelivered(at=story.later(), pid=812, tid=812, signal=7, fatal=True, library="/lib/ld.so"))
    story.end(812, signal=7)
    assert rules(story)[:2] == ["backend-load-failed", "child-crashed"]
    assert "truncated" in answer(story).title


def _disabled(value: str) -> Story:
    story = Story()
    environment = {"LD_PRELOAD": SHIM, "OLLAMA_LLM_LIBRARY": value}
    story.process(812, environment=environment)
    story.driver(812, SHIM, "preload")
    _candidate(story)
    story.later(2 * SECOND)
    story.log(CPU)
    return story


def test_a_filter_that_names_no_folder_outranks_the_missing_consumer() -> None:
    finding = answer(_disabled("cuda_v9"))
    assert finding.rule == "backend-disabled"
    assert "OLLAMA_LLM_LIBRARY=cuda_v9 names no backend directory; there is cuda_v12" in finding.title
    assert finding.command == "" or "-u OLLAMA_LLM_LIBRARY" in finding.command
    assert rules(_disabled("cuda_v9"))[1] == "no-consumer"


def test_a_filter_that_names_the_folder_is_no_fault() -> None:
    assert rules(_disabled("cuda_v12"))[0] == "no-consumer"


def test_a_shim_in_a_process_without_any_consumer_is_told_after_a_moment() -> None:
    story = Story()
    story.process(812, ("/bin/sh",), environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    assert rules(story) == []
    story.later(2 * SECOND)
    story.tell(LoaderRefused(at=story.later(), pid=1, tid=1, object="x", text="y"))
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("no-consumer", "likely")
    assert "none of its 1 mapped files can call cuda-driver" in finding.title


def test_a_folder_that_holds_only_a_backend_for_the_cpu_lacks_that_for_the_gpu() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    path = "/opt/app/lib/libbackend-cpu.so"
    story.image(path, imports=["memcpy"])
    story.tell(
        CandidateFound(
            at=story.later(), pid=812, profile="app", path=path, file=story.file(path), directory="/opt/app/lib",
            kind="backend",
        )
    )  # fmt: skip
    story.end(812)
    finding = answer(story)
    assert finding.rule == "no-consumer" and "/opt/app/lib holds no backend for a GPU" in finding.title
    assert finding.command == "ls -R /opt/app/lib"


def test_a_foreign_function_interface_makes_it_unknown_who_could_call() -> None:
    story = Story()
    story.process(812, ("/usr/bin/python3",), environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.image("/lib/libffi.so.8", soname="libffi.so.8")
    story.map(812, "/lib/libffi.so.8")
    story.end(812)
    assert rules(story) == []
    assert rung(story, "reachable").state == "unknown"


def test_the_parent_of_a_consumer_is_not_told_to_lack_one() -> None:
    story = _server()
    story.process(850, ("/opt/app/server", "runner"), parent=812)
    story.driver(850, SHIM, "preload", watch=False)
    story.consumer(850, BACKEND)
    story.call(850, "cuInit", 100, by=BACKEND, library=SHIM)
    story.end(850)
    assert "no-consumer" not in rules(story)


def test_a_process_that_was_there_before_us_is_not_blamed_for_want_of_a_consumer() -> None:
    story = Story()
    story.process(812, age=60 * SECOND, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.later(2 * SECOND)
    finding = found(story, "no-consumer")
    assert (finding.severity, finding.confidence) == ("info", "guess")
    assert "A child of it that ended before we attached may have had one" in finding.doubt
    assert answer(story).rule == "cause-not-seen"
