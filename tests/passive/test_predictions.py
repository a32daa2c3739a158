"""Backends that are not loaded, providers that lost, loads predicted in the place of a real process."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from inspector.collect.kernel import procfs
from inspector.collect.sources.contract import Tracked
from inspector.collect.sources.libraries.predictions import PATIENCE_NS, PredictionsSource
from inspector.stream.libraries import CandidateFound, ImageRead, LoadPredicted, PreloadChecked
from inspector.stream.processes import ProcessExec
from inspector.stream.requests import ApiPlan, BackendPlan, FunctionPlan, Plan, PredictLoad, ScanPointers
from inspector.stream.session import RequestFailed
from tests.elf.workshop import Workshop

from .session import Bench

PLAN = Plan(
    apis=[
        ApiPlan(
            api="cuda-driver",
            sonames=["libcuda.so.1"],
            prefixes=["cu"],
            functions=[FunctionPlan(name="cuInit"), FunctionPlan(name="cuDeviceGet")],
        )
    ],
    program_names=["ollama"],
    backends=[
        BackendPlan(
            profile="ollama",
            beside=["../lib/ollama/*/libggml-*.so*", "../lib/ollama/libggml-*.so*"],
            environment=["OLLAMA_LIBRARY_PATH"],
            globs=["libggml-*.so*"],
            library_path=["{root}", "{directory}"],
        )
    ],
)
INTERPRETER = "/lib64/ld-linux-x86-64.so.2"


class House:
    """A program with its backends on disk, and a process that runs it."""

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        driver = workshop.library("house/libcuda.so.1", "int cuInit, cuDeviceGet;", soname="libcuda.so.1")
        helper = workshop.library("house/libggml-base.so.0", "int base(void){return 1;}", soname="libggml-base.so.0")
        cuda = "int cuInit(unsigned); int base(void); int b(void){ return cuInit(0) + base(); }"
        backend = workshop.library("house/libggml-cuda.so", cuda, links=[driver, helper])
        cpu = workshop.library("house/libggml-cpu.so", "int cpu;")
        program = workshop.program("house/ollama", 'int main(void){ write(1, "\\n", 1); pause(); return 0; }')
        for source, target in (
            (program, "bin/ollama"),
            (backend, "lib/ollama/cuda_v12/libggml-cuda.so"),
            (driver, "opt/shim/libcuda.so.1"),
            (helper, "lib/ollama/libggml-base.so.0"),
            (cpu, "lib/ollama/libggml-cpu.so"),
        ):
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / target)

    @property
    def backend(self) -> str:
        return str(self.folder / "lib/ollama/cuda_v12/libggml-cuda.so")

    def run(self, bench: Bench, environment: Mapping[str, str], name: str = "ollama", static: bool = False) -> Tracked:
        exe = self.folder / "bin" / name
        if not exe.exists():
            shutil.copy(self.folder / "bin/ollama", exe)
        process = subprocess.Popen([exe], env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        self._processes.append(process)
        tracked = bench.track(process.pid)
        tracked.raw_environment = {key.encode(): value.encode() for key, value in environment.items()}
        tracked.program = ProcessExec(
            at=0, pid=process.pid, argv=[str(exe)], exe=str(exe), uid=0, interpreter=INTERPRETER, elf_class=64,
            cwd="/", static=static,
        )  # fmt: skip
        return tracked

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def house(tmp_path: Path, workshop: Workshop) -> Iterator[House]:
    house = House(tmp_path, workshop)
    yield house
    house.end()


def begin(bench: Bench) -> PredictionsSource:
    source = PredictionsSource(bench.session)
    source.start()
    return source


def wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes."""
    later = bench.loop.now() + PATIENCE_NS
    monkeypatch.setattr(bench.loop, "now", lambda: later)
    bench.loop.tick()


def test_backends_beside_the_program_are_found_and_their_facts_sent(house: House) -> None:
    bench = Bench(PLAN)
    house.run(bench, {})
    begin(bench)
    found = {candidate.path: candidate for candidate in bench.sink.of(CandidateFound)}
    assert {Path(path).name for path in found} == {"libggml-cuda.so", "libggml-cpu.so", "libggml-base.so.0"}
    candidate = found[house.backend]
    assert (candidate.profile, candidate.kind) == ("ollama", "backend")
    assert candidate.directory == str(Path(house.backend).parent)
    image = next(image for image in bench.sink.of(ImageRead) if image.file == candidate.file)
    assert "cuInit" in {need.name for need in image.undefined}


def test_a_program_under_another_name_still_has_the_backends_that_lie_beside_it(house: House) -> None:
    bench = Bench(PLAN)
    house.run(bench, {}, name="other")
    begin(bench)
    assert house.backend in {candidate.path for candidate in bench.sink.of(CandidateFound)}


def test_a_shell_of_the_system_has_no_backends_even_where_its_environment_names_a_folder(house: House) -> None:
    bench = Bench(PLAN)
    process = house.run(bench, {"OLLAMA_LIBRARY_PATH": str(Path(house.backend).parent)})
    assert process.program is not None
    process.program = msgspec.structs.replace(process.program, exe="/usr/bin/dash")
    begin(bench)
    assert [candidate for candidate in bench.sink.of(CandidateFound) if candidate.kind == "backend"] == []


def test_a_backend_that_was_not_loaded_in_time_is_predicted_with_the_folders_that_its_child_would_get(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(PLAN)
    house.run(bench, {})
    begin(bench)
    assert bench.sink.of(LoadPredicted) == []
    wait(bench, monkeypatch)
    (prediction,) = bench.sink.of(LoadPredicted)
    assert prediction.name == house.backend
    assert prediction.ok is False
    assert prediction.words == "libcuda.so.1: cannot open shared object file: No such file or directory"
    assert [missing.name for missing in prediction.missing] == ["libcuda.so.1"]
    paths = {dependency.name: dependency.path for dependency in prediction.tree}
    assert paths["libggml-base.so.0"] == str(house.folder / "lib/ollama/libggml-base.so.0")
    wait(bench, monkeypatch)
    assert len(bench.sink.of(LoadPredicted)) == 1


def test_the_child_itself_is_predicted_with_its_own_environment_and_nothing_assumed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(PLAN)
    shim = str(house.folder / "opt/shim")
    own = {"OLLAMA_LIBRARY_PATH": str(house.folder / "lib/ollama/cuda_v12"), "LD_LIBRARY_PATH": shim}
    house.run(bench, own)
    begin(bench)
    wait(bench, monkeypatch)
    (prediction,) = bench.sink.of(LoadPredicted)
    assert prediction.words.startswith("libggml-base.so.0: cannot open shared object file")


def test_with_everything_in_place_the_load_is_predicted_to_work(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(PLAN)
    house.run(bench, {"LD_LIBRARY_PATH": str(house.folder / "opt/shim")})
    begin(bench)
    wait(bench, monkeypatch)
    (prediction,) = bench.sink.of(LoadPredicted)
    assert (prediction.ok, prediction.words, prediction.unknown_because) == (True, "", "")


def test_a_process_that_ends_before_its_time_is_predicted_at_its_end(house: House) -> None:
    bench = Bench(PLAN)
    process = house.run(bench, {})
    source = begin(bench)
    house.end()
    process.alive = False
    source.ended(process)
    assert [prediction.name for prediction in bench.sink.of(LoadPredicted)] == [house.backend]
    source.ended(process)
    assert len(bench.sink.of(LoadPredicted)) == 1


def test_a_backend_that_is_loaded_is_not_predicted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(PLAN)
    shim, lib = house.folder / "opt/shim", house.folder / "lib/ollama"
    environment = {"LD_LIBRARY_PATH": f"{shim}:{lib}", "LD_PRELOAD": house.backend}
    process = house.run(bench, environment)
    assert house.backend in {mapping.path for mapping in process.mappings.values()}
    begin(bench)
    wait(bench, monkeypatch)
    assert bench.sink.of(LoadPredicted) == []


def test_a_provider_in_the_search_path_is_found_though_another_one_won(house: House) -> None:
    bench = Bench(PLAN)
    house.run(bench, {"LD_LIBRARY_PATH": f"/nowhere:{house.folder}/opt/shim"})
    begin(bench)
    providers = [candidate for candidate in bench.sink.of(CandidateFound) if candidate.kind == "provider"]
    assert [candidate.path for candidate in providers] == [str(house.folder / "opt/shim/libcuda.so.1")]
    assert providers[0].profile == ""


def test_preload_entries_are_checked_at_once(house: House) -> None:
    bench = Bench(PLAN)
    house.run(bench, {"LD_PRELOAD": "/none/libx.so:libz.so.1"})
    begin(bench)
    checked = {entry.entry: entry.usable for entry in bench.sink.of(PreloadChecked)}
    assert checked == {"/none/libx.so": False, "libz.so.1": True}


def test_a_request_is_answered_for_any_name(house: House) -> None:
    bench = Bench(PLAN)
    process = house.run(bench, {})
    source = begin(bench)
    assert source.handle(PredictLoad(id=1, pid=process.pid, name="libz.so.1"))
    assert source.handle(PredictLoad(id=2, pid=process.pid, name="libc.so.6"))
    assert source.handle(PredictLoad(id=3, pid=process.pid, name="libnone.so"))
    answers = {prediction.name: prediction for prediction in bench.sink.of(LoadPredicted)}
    assert (answers["libz.so.1"].ok, answers["libc.so.6"].ok, answers["libnone.so"].ok) == (True, True, False)
    assert answers["libc.so.6"].tree[0].rule == "loaded" and all(one.asked for one in answers.values())
    assert not source.handle(ScanPointers(pid=process.pid))


def test_a_request_about_an_unknown_process_fails_with_a_reason(house: House) -> None:
    bench = Bench(PLAN)
    source = begin(bench)
    assert source.handle(PredictLoad(id=8, pid=1, name="libz.so.1"))
    assert [(failure.id, "not under observation" in failure.why) for failure in bench.sink.of(RequestFailed)] == [
        (8, True)
    ]


def test_a_static_program_has_no_loader_and_says_so(house: House) -> None:
    bench = Bench(PLAN)
    process = house.run(bench, {}, static=True)
    begin(bench).handle(PredictLoad(id=1, pid=process.pid, name="libz.so.1"))
    prediction = bench.sink.of(LoadPredicted)[-1]
    assert (prediction.ok, prediction.unknown_because) == (None, "its program is static: it has no loader")


def test_a_load_in_another_file_tree_is_predicted_there(house: House, workshop: Workshop, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "lib").mkdir(parents=True)
    (root / "bin").mkdir()
    program = workshop.program(
        "tree-program", 'int main(void){ write(1, "\\n", 1); pause(); return 0; }', flags=["-static"]
    )
    shutil.copy(program, root / "bin/program")
    shutil.copy(house.folder / "opt/shim/libcuda.so.1", root / "lib/libreal.so")
    (root / "lib/libinside.so").symlink_to("/lib/libreal.so")
    process = subprocess.Popen(["chroot", root, "/bin/program"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        bench = Bench(PLAN)
        tracked = bench.track(process.pid)
        tracked.program = ProcessExec(
            at=0, pid=process.pid, argv=[], exe="/bin/program", interpreter=INTERPRETER, elf_class=64, own_root=True
        )
        source = begin(bench)
        source.handle(PredictLoad(id=1, pid=process.pid, name="/lib/libinside.so"))
        source.handle(PredictLoad(id=2, pid=process.pid, name=str(house.folder / "opt/shim/libcuda.so.1")))
        inside, outside = bench.sink.of(LoadPredicted)
        assert inside.tree[0].path == "/lib/libinside.so"
        assert inside.words == "libc.so.6: cannot open shared object file: No such file or directory"
        assert outside.words.endswith("cannot open shared object file: No such file or directory")
        assert procfs.exists(process.pid)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_an_unreadable_backend_is_named_with_the_reason(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(PLAN)
    (Path(house.backend)).write_bytes(b"\x7fELF")
    house.run(bench, {})
    begin(bench)
    wait(bench, monkeypatch)
    (prediction,) = bench.sink.of(LoadPredicted)
    assert prediction.words == f"{house.backend}: file too short"
    assert prediction.ok is False


def test_a_library_that_a_program_names_and_does_not_have_is_predicted_when_it_lived_before_us(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(PLAN)
    code = '#include <dlfcn.h>\nint main(void){ dlopen("libcuda.so.1", 2); write(1, "\\n", 1); pause(); return 0; }'
    program = workshop.program("late/asker", code)
    process = subprocess.Popen([program], env={}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        tracked = bench.track(process.pid)
        tracked.program = ProcessExec(
            at=0, pid=process.pid, argv=[], exe=str(program), uid=0, interpreter=INTERPRETER, elf_class=64, cwd="/"
        )
        begin(bench)
        bench.tell_images(tracked)
        wait(bench, monkeypatch)
    finally:
        process.kill()
        process.communicate()
    (predicted,) = [one for one in bench.sink.of(LoadPredicted) if one.name == "libcuda.so.1"]
    assert (predicted.ok, predicted.requester) == (False, str(program))
    assert predicted.words == "libcuda.so.1: cannot open shared object file: No such file or directory"
