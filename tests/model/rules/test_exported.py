"""Rules about names: missing, hidden, at another version, too many."""

from inspector.stream.libraries import Export, LoadPredicted, Need

from ..asking import BACKEND, CPU, SHIM, answer, found, healthy, rules, rung
from ..build import DRIVER, Story


def _failed(words: str, *, exports: list[str] | None = None, hidden: str = "") -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    concealed = [Export(name=hidden, visible=False)] if hidden else []
    story.driver(812, SHIM, "preload", exports=exports or DRIVER, hidden=concealed)
    story.look_up(
        812, "dlopen", BACKEND, False, by="/opt/app/server", error=f"{BACKEND}: {words}", tried=[(BACKEND, 0)]
    )
    story.end(812)
    story.log(CPU)
    return story


def test_a_name_that_the_shim_lacks_stops_the_load_of_the_backend() -> None:
    finding = answer(_failed("undefined symbol: cuCtxGetFlags"))
    assert (finding.rule, finding.confidence) == ("symbol-missing", "proven")
    assert f"it needs cuCtxGetFlags, which {SHIM} does not export" in finding.title


def test_a_library_that_was_opened_in_the_refused_load_itself_is_the_one_that_lacks_the_name() -> None:
    story = Story()
    story.process(812)
    words = f"{BACKEND}: undefined symbol: cuCtxGetFlags"
    tried = [(BACKEND, 0), ("/usr/lib/libcuda.so.1", 2), ("/srv/lib/libcuda.so.1", 0)]
    story.look_up(812, "dlopen", BACKEND, False, by="/opt/app/server", error=words, tried=tried)
    story.log(CPU)
    finding = answer(story)
    assert "it needs cuCtxGetFlags, which /srv/lib/libcuda.so.1 does not export" in finding.title
    assert finding.command == "nm -D --defined-only /srv/lib/libcuda.so.1 | grep -w cuCtxGetFlags"


def test_a_name_that_the_shim_hides_is_told_as_hidden() -> None:
    story = _failed("undefined symbol: cuCtxGetFlags", hidden="cuCtxGetFlags")
    assert answer(story).rule == "symbol-hidden"
    assert "symbol-missing" not in rules(story)


def _compiled_as_cpp(story: Story, pid: int = 812) -> None:
    story.driver(pid, SHIM, "preload", exports=["_Z6cuInitj"], watch=False, mangled={"cuInit": "_Z6cuInitj"})


def test_a_name_that_the_shim_has_only_as_a_cpp_function_is_told_as_mangled() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    _compiled_as_cpp(story)
    words = f"{BACKEND}: undefined symbol: cuInit"
    story.look_up(812, "dlopen", BACKEND, False, by="/opt/app/server", error=words, tried=[(BACKEND, 0)])
    story.log(CPU)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("symbol-mangled", "proven")
    assert "has it only as the C++ function _Z6cuInitj" in finding.title and 'extern "C"' in finding.next_step
    assert finding.chain[-1].text == "libshim-a.so has cuInit only as the C++ function _Z6cuInitj"
    assert rung(story, "mapped").detail == f"{SHIM} (by LD_PRELOAD)"
    assert "symbol-missing" not in rules(story)


def test_a_refused_look_up_says_that_the_name_is_a_cpp_function() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    _compiled_as_cpp(story)
    story.look_up(812, "dlopen", "libcuda.so.1", True, answer=SHIM)
    story.look_up(812, "dlsym", "cuInit", False, error=f"{SHIM}: undefined symbol: cuInit")
    finding = answer(story)
    assert finding.rule == "symbol-mangled"
    assert "libshim-a.so has it only as the C++ function _Z6cuInitj" in finding.title
    assert finding.evidence[-1].by_hand == f"nm -a {SHIM} | grep cuInit"
    assert (rung(story, "exported").state, rung(story, "resolved").reached) == ("no", False)
    assert "cuInit is there as the C++ function _Z6cuInitj" in rung(story, "exported").detail


def test_a_wrapper_of_that_name_in_the_consumer_is_not_what_was_asked() -> None:
    story = Story()
    story.process(812)
    story.consumer(812, BACKEND, imports=(), hidden=[Export(name="cuInit", visible=False)])
    story.driver(812, SHIM, exports=["cuDeviceGetCount"], watch=False)
    story.look_up(812, "dlsym", "cuInit", False, by=BACKEND, error=f"{SHIM}: undefined symbol: cuInit")
    finding = answer(story)
    assert finding.rule == "lookup-failed" and finding.title.endswith(f"{SHIM} does not have it")


def test_a_preloaded_shim_of_cpp_names_is_likely_a_fault_before_anybody_asks() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload", soname=None, exports=[], watch=False, mangled={"cuInit": "_Z6cuInitj"})
    finding = found(story, "symbol-mangled")
    assert finding.confidence == "likely" and "cuda-driver needs cuInit" in finding.title


def test_cpp_names_beside_a_library_that_works_are_no_fault() -> None:
    story = healthy()
    story.image("/opt/app/libwrap.so", mangled={"cuInit": "_Z6cuInitj"})
    story.map(812, "/opt/app/libwrap.so", "preload")
    assert rules(story) == ["gpu-in-use"]


def test_a_name_at_another_version_is_told_with_both_nodes() -> None:
    story = _failed("undefined symbol: cublasCreate_v2, version libcublas.so.12")
    story.image(
        "/opt/shim/libcublas.so.12", soname="libcublas.so.12", exports=["cublasCreate_v2"], version="CUBLAS_12.0"
    )
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("version-node-missing", "proven")
    assert "needs cublasCreate_v2@libcublas.so.12; libcublas.so.12 defines it at CUBLAS_12.0" in finding.title


def test_a_predicted_failure_is_likely_and_says_that_it_is_predicted() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    need = Need(name="cuCtxGetFlags")
    words = f"{BACKEND}: undefined symbol: cuCtxGetFlags"
    story.tell(LoadPredicted(at=story.later(), pid=812, name=BACKEND, ok=False, words=words, undefined=[need]))
    assert "symbol-missing" not in rules(story)  # nobody was seen to ask for it
    story.state.processes[0].origin = "attach"
    story.log(CPU)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("symbol-missing", "likely")
    assert "would fail to load" in finding.title


def test_a_lazily_bound_import_that_nobody_offers_is_likely_a_fault() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit", "cuCtxGetFlags"])
    finding = found(story, "symbol-missing")
    assert "needs cuCtxGetFlags" in finding.title
    assert rung(story, "exported").state == "no"


def test_of_a_program_that_was_met_running_such_an_import_is_no_error() -> None:
    story = Story()
    story.process(812)
    story.state.processes[0].origin = "attach"
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit", "cuCtxGetFlags"])
    assert found(story, "symbol-missing").severity == "warning"


def test_imports_that_are_all_offered_or_weak_are_no_fault() -> None:
    story = healthy()
    story.consumer(812, "/opt/app/other.so", imports=["cuInit"])
    story.image("/opt/app/third.so", undefined=[Need(name="cuCtxGetFlags", weak=True)])
    story.map(812, "/opt/app/third.so")
    assert rules(story) == ["gpu-in-use"]
    assert rung(story, "exported").state == "yes"


def test_nothing_is_called_missing_while_a_mapped_file_is_unread() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit", "cuCtxGetFlags"])
    story.map(812, "/opt/app/not-read-yet.so")
    assert "symbol-missing" not in rules(story)


def test_a_runtime_that_will_ask_for_a_name_that_is_not_there_is_told_before_it_asks() -> None:
    story = Story()
    story.process(812)
    story.driver(812, exports=["cuInit", "cuGetProcAddress", "cuDeviceGetCount", "cuGetExportTable"])
    story.image(
        "/opt/libcudart.so.12", soname="libcudart.so.12", exports=["cudaMalloc", "cudaGetDeviceCount"],
        dlopen_names=["libcuda.so.1"], imports_lookup=True,
    )  # fmt: skip
    story.map(812, "/opt/libcudart.so.12")
    assert "cuGetProcAddress_v2" in found(story, "symbol-missing").title


def _unversioned(*, code: int, needs: bool) -> Story:
    story = Story()
    story.process(812)
    soname = "libcudart.so.12"
    own = {"libc.so.6": ["GLIBC_2.2.5"]} if needs else {}
    story.image("/shim/libcudart.so.12", soname=soname, exports=["cudaMalloc", "cudaGetDeviceCount"], version_needs=own)
    story.map(812, "/shim/libcudart.so.12")
    story.consumer(812, BACKEND, imports=["cudaMalloc"], version_needs={soname: [soname]})
    story.end(812, code=code)
    return story


def test_a_library_without_any_version_table_ends_the_program_with_127() -> None:
    finding = answer(_unversioned(code=127, needs=False))
    assert (finding.rule, finding.confidence) == ("no-version-table", "proven")
    assert "libcudart.so.12" in finding.title and "127" in finding.title


def test_a_version_table_made_by_its_own_needs_is_enough_for_the_loader() -> None:
    assert "no-version-table" not in rules(_unversioned(code=0, needs=True))
    assert "no-version-table" in rules(_unversioned(code=0, needs=False))
    assert found(_unversioned(code=0, needs=False), "no-version-table").severity == "warning"


def test_libc_names_in_a_shim_are_a_warning_that_hides_no_answer() -> None:
    story = _failed("undefined symbol: cuCtxGetFlags")
    image = story.state.images[story.file(SHIM)]
    assert image.overrides == []
    story.driver(812, "/opt/vgpu/lib/libhook.so", "preload", overrides=["open", "read", "dlopen"], watch=False)
    assert rules(story)[0] == "symbol-missing"
    finding = found(story, "overrides-libc")
    assert finding.severity == "warning" and "open, read, dlopen" in finding.title


def test_an_allocator_and_a_shim_without_libc_names_are_no_matter() -> None:
    story = healthy()
    story.image("/usr/lib/libjemalloc.so.2", exports=["malloc"], overrides=["malloc", "free", "calloc"])
    story.map(812, "/usr/lib/libjemalloc.so.2", "preload")
    assert rules(story) == ["gpu-in-use"]
