"""Where else a refused name is, searched in the place of real processes, with real libraries and mount namespaces."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.elf.library import LibraryCache
from inspector.collect.sources.contract import Tracked
from inspector.collect.sources.copies.copies import CopiesSource, ListeningSink
from inspector.collect.sources.copies.refused_names import Asked, Names
from inspector.collect.sources.copies.suitability import alike, judge
from inspector.model.profiles import builtin_profiles
from inspector.stream.base import Event
from inspector.stream.calls import FileOpened, LoaderRefused, LookedUp
from inspector.stream.libraries import CopiesFound, Copy
from inspector.stream.processes import ProcessExec
from tests.elf.workshop import Workshop

from .session import Bench

PLAN = builtin_profiles().plan()
INTERPRETER = "/lib64/ld-linux-x86-64.so.2"
NOT_FOUND = "cannot open shared object file: No such file or directory"


class Scene:
    """A sleeping program, and a search that hears what the test tells of it."""

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self.folder = folder
        self.bench = Bench(PLAN)
        heard = ListeningSink(self.bench.sink)
        self.bench.session.sink = heard
        self.heard = heard
        self.source = CopiesSource(self.bench.session, heard)
        self._sleeper = workshop.program("copies/sleeper", 'int main(void){ write(1, "\\n", 1); pause(); return 0; }')
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, environment: Mapping[str, str], *, inside: str = "", argv: list[str] | None = None) -> Tracked:
        """Start it; `inside` is a shell command that first prepares a mount namespace of its own."""
        exe = self.folder / "sleeper"
        shutil.copy(self._sleeper, exe)
        command = ["unshare", "-m", "sh", "-c", f"{inside} && exec {exe}"] if inside else [str(exe)]
        process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environment}, stdout=subprocess.PIPE)
        self._processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        tracked = self.bench.track(process.pid)
        tracked.raw_environment = {key.encode(): value.encode() for key, value in environment.items()}
        tracked.program = ProcessExec(
            at=0, pid=process.pid, argv=argv or [str(exe)], exe=INTERPRETER if argv else str(exe), uid=0, elf_class=64,
            interpreter=None if argv else INTERPRETER, cwd="/", own_root=bool(inside),
        )  # fmt: skip
        self.source.start()
        return tracked

    def tell(self, event: Event) -> CopiesFound:
        """Let it be heard, and give the search its turns."""
        before = len(self.bench.sink.of(CopiesFound))
        self.heard.send(event)
        while len(self.bench.sink.of(CopiesFound)) == before:
            self.bench.loop.tick()
        return self.bench.sink.of(CopiesFound)[-1]

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def scene(tmp_path: Path, workshop: Workshop) -> Iterator[Scene]:
    scene = Scene(tmp_path, workshop)
    yield scene
    scene.end()


@pytest.fixture(scope="module")
def libraries(workshop: Workshop) -> dict[str, Path]:
    """A driver, and a helper in an old and a new version."""
    versions = {
        "old": "V1 { global: helper_old; };",
        "new": "V1 { global: helper_old; };\nV2 { global: helper_new; } V1;",
    }
    code = "int helper_old(void){return 1;}\nint helper_new(void){return 2;}"
    made = {"driver": workshop.library("copies/libcuda.so.1", "int cuInit, cuDeviceGet;", soname="libcuda.so.1")}
    for name, text in versions.items():
        kept = code if name == "new" else code.splitlines()[0]
        made[name] = workshop.library(f"copies/{name}/libhelper.so.12", kept, soname="libhelper.so.12", script=text)
    return made


def put(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    return target


def refused(pid: int, name: str, error: str = "", requester: str = "") -> LookedUp:
    words = error or f"{name}: {NOT_FOUND}"
    return LookedUp(at=1, pid=pid, tid=pid, via="dlopen", name=name, requester=requester, found=False, error=words)


def only(found: CopiesFound) -> Copy:
    assert len(found.copies) == 1, found
    return found.copies[0]


def test_a_name_without_its_number_lies_beside_it_under_another_one(scene: Scene, libraries: dict[str, Path]) -> None:
    there = put(libraries["driver"], scene.folder / "real/libcuda.so.1")
    process = scene.run({"LD_LIBRARY_PATH": str(there.parent)})
    copy = only(scene.tell(refused(process.pid, "libcuda.so")))
    assert (copy.path, copy.rule, copy.usable) == (str(there), "", True)
    assert copy.brought_by == f"{there.parent}/libcuda.so -> libcuda.so.1"


@pytest.mark.parametrize(
    ("leads_to", "problem"),
    [
        ("libcuda.so.535", "a link to {folder}/libcuda.so.535, which is not there"),
        ("libcuda.so.1", "its symbolic links form a loop"),
    ],
)
def test_a_link_that_leads_to_no_file_is_told_as_one(scene: Scene, leads_to: str, problem: str) -> None:
    folder = scene.folder / "real"
    folder.mkdir()
    (folder / "libcuda.so.1").symlink_to(leads_to)
    process = scene.run({"LD_LIBRARY_PATH": str(folder)})
    copy = only(scene.tell(refused(process.pid, "libcuda.so.1")))
    assert (copy.usable, copy.problem) == (False, problem.format(folder=folder))


@pytest.mark.parametrize("mistyped", ["shm", "Shim", "shim2"])
def test_a_folder_of_a_similar_name_is_what_was_meant(scene: Scene, libraries: dict[str, Path], mistyped: str) -> None:
    there = put(libraries["driver"], scene.folder / "shim/lib/libcuda.so.1")
    put(libraries["driver"], scene.folder / "elsewhere/lib/libcuda.so.1")
    process = scene.run({"LD_LIBRARY_PATH": f"{scene.folder}/{mistyped}/lib"})
    copy = only(scene.tell(refused(process.pid, "libcuda.so.1")))
    assert (copy.path, copy.place, copy.usable) == (str(there), "similar name", True)
    assert copy.brought_by == f"LD_LIBRARY_PATH={there.parent}:{scene.folder}/{mistyped}/lib"
    asked = f"{scene.folder}/{mistyped}/lib/libcuda.so.1"
    assert only(scene.tell(refused(process.pid, asked))).path == str(there)


def test_of_two_versions_the_first_on_the_path_lacks_the_node_and_the_second_has_it(
    scene: Scene, libraries: dict[str, Path]
) -> None:
    old = put(libraries["old"], scene.folder / "old/libhelper.so.12")
    new = put(libraries["new"], scene.folder / "new/libhelper.so.12")
    process = scene.run({"LD_LIBRARY_PATH": f"{old.parent}:{new.parent}"})
    words = f"{old}: version `V2' not found (required by /x/libbackend.so)"
    found = scene.tell(refused(process.pid, "/x/libbackend.so", words))
    assert (found.kind, found.asked, found.wanted, found.requester) == (
        "version",
        "libhelper.so.12",
        "V2",
        "/x/libbackend.so",
    )
    first, second = found.copies
    assert (first.path, first.order, first.usable, first.problem) == (str(old), 1, False, "it does not define V2")
    assert (second.path, second.order, second.usable) == (str(new), 2, True)
    assert second.brought_by == f"LD_LIBRARY_PATH={new.parent}:{old.parent}"


def test_a_driver_is_found_inside_the_mount_namespace_of_the_process(scene: Scene, libraries: dict[str, Path]) -> None:
    inside = f"mount -t tmpfs none /opt && mkdir -p /opt/cuda/compat && cp {libraries['driver']} /opt/cuda/compat/"
    process = scene.run({}, inside=inside)
    copy = only(scene.tell(refused(process.pid, "libcuda.so.1")))
    assert (copy.path, copy.place, copy.outside) == ("/opt/cuda/compat/libcuda.so.1", "compat", False)
    assert copy.brought_by == "LD_LIBRARY_PATH=/opt/cuda/compat"


def test_a_driver_that_a_mount_hides_is_found_outside(scene: Scene, libraries: dict[str, Path]) -> None:
    there = put(libraries["driver"], scene.folder / "real/libcuda.so.1")
    process = scene.run({"LD_LIBRARY_PATH": str(there.parent)}, inside=f"mount -t tmpfs none {there.parent}")
    copy = only(scene.tell(refused(process.pid, "libcuda.so.1")))
    assert (copy.path, copy.outside, copy.place) == (str(there), True, "LD_LIBRARY_PATH")
    assert (copy.rule, copy.brought_by) == ("", "")


def test_where_ld_so_was_given_a_path_the_variable_is_not_searched_but_what_lies_there_is_told(
    scene: Scene, libraries: dict[str, Path]
) -> None:
    there = put(libraries["driver"], scene.folder / "real/libcuda.so.1")
    argv = [INTERPRETER, "--library-path", "/nowhere", str(scene.folder / "sleeper")]
    process = scene.run({"LD_LIBRARY_PATH": str(there.parent)}, argv=argv)
    copy = only(scene.tell(refused(process.pid, "libcuda.so.1")))
    assert (copy.place, copy.rule) == ("LD_LIBRARY_PATH", "")
    assert copy.brought_by == f"--library-path {there.parent}:/nowhere"


def test_a_library_of_a_wheel_is_found_where_python_keeps_its_packages(
    scene: Scene, libraries: dict[str, Path]
) -> None:
    site = scene.folder / "venv/lib/python3.11/site-packages"
    there = put(libraries["new"], site / "nvidia/helper/lib/libhelper.so.12")
    process = scene.run({"VIRTUAL_ENV": str(scene.folder / "venv")})
    copy = only(scene.tell(refused(process.pid, "libhelper.so.11")))
    assert (copy.path, copy.place) == (str(there), "wheel")


def test_a_file_of_another_class_or_no_library_at_all_would_not_do(scene: Scene) -> None:
    (scene.folder / "libcuda.so.1").write_bytes(b"\x7fELF\x01\x01\x01" + bytes(100))
    (scene.folder / "libcuda.so.2").write_text("INPUT(libcuda.so.1)" * 10)
    process = scene.run({"LD_LIBRARY_PATH": str(scene.folder)})
    found = scene.tell(refused(process.pid, "libcuda.so.1"))
    assert [(copy.usable, copy.problem) for copy in found.copies] == [
        (False, "wrong ELF class: ELFCLASS32"), (False, "invalid ELF header"),
    ]  # fmt: skip


def test_what_is_nowhere_is_said_with_the_places_that_were_looked_at(scene: Scene) -> None:
    process = scene.run({"LD_LIBRARY_PATH": str(scene.folder)})
    found = scene.tell(refused(process.pid, "libnccl-is-not-here.so.2"))
    assert found.copies == [] and found.complete
    assert str(scene.folder) in found.places


def test_each_name_is_searched_once_for_the_same_path(scene: Scene) -> None:
    process = scene.run({})
    scene.tell(refused(process.pid, "libcuda-x.so.1"))
    scene.heard.send(refused(process.pid, "libcuda-x.so.1"))
    for _ in range(20):
        scene.bench.loop.tick()
    assert len(scene.bench.sink.of(CopiesFound)) == 1


def test_words_of_the_loader_are_told_by_the_look_up_that_they_belong_to(scene: Scene) -> None:
    process = scene.run({})
    scene.heard.send(LoaderRefused(at=1, pid=process.pid, tid=process.pid, object="libx.so.1", text=NOT_FOUND))
    found = scene.tell(refused(process.pid, "libx.so.1", requester="/usr/bin/asker"))
    for _ in range(20):
        scene.bench.loop.tick()
    assert [one.requester for one in scene.bench.sink.of(CopiesFound)] == [found.requester] == ["/usr/bin/asker"]


def test_the_last_names_are_searched_when_the_observation_ends(scene: Scene) -> None:
    process = scene.run({})
    scene.heard.send(LoaderRefused(at=1, pid=process.pid, tid=process.pid, object="libx.so.1", text=NOT_FOUND))
    scene.source.close()
    assert [found.asked for found in scene.bench.sink.of(CopiesFound)] == ["libx.so.1"]


def test_a_device_node_that_is_not_there_comes_with_what_makes_it(scene: Scene) -> None:
    process = scene.run({})
    event = FileOpened(at=1, pid=process.pid, tid=process.pid, path="/dev/nvidia-uvm", errno=errno.ENOENT)
    found = scene.tell(event)
    assert (found.kind, found.copies, found.brought_by) == ("device", [], "modprobe nvidia-uvm")


def test_a_device_node_for_others_says_which_group_may_open_it(scene: Scene) -> None:
    node = scene.folder / "kfd"
    os.mknod(node, 0o20660, os.makedev(1, 3))
    os.chown(node, 0, 4)
    node.chmod(0o660)
    process = scene.run({})
    assert process.program is not None
    process.program = ProcessExec(at=0, pid=process.pid, argv=[], exe="", uid=65534)
    process.pid, held = 2**22 + 1, process.pid  # a process that is gone keeps the ids that were seen
    event = FileOpened(at=1, pid=process.pid, tid=held, path=str(node), errno=errno.EACCES)
    copy = only(scene.tell(event))
    assert copy.usable is False
    assert copy.problem == "mode crw-rw---- root:adm, and uid 65534 is not in group adm"


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_question_whether_something_is_loaded_already_asks_for_nothing() -> None:
    event = LookedUp(at=1, pid=1, tid=1, via="dlopen", name="libx.so", requester="", found=False, flags=4 | 2)
    assert list(Names(PLAN).of(event)) == []


def test_a_refused_dependency_is_what_is_looked_for() -> None:
    asked = list(Names(PLAN).of(refused(1, "/app/index.node", f"libnccl.so.2: {NOT_FOUND}", "/usr/bin/node")))
    assert asked == [Asked(1, "library", "libnccl.so.2", requester="/app/index.node")]


def test_a_symbol_is_looked_for_when_an_api_has_it_or_its_file_is_named() -> None:
    names = Names(PLAN)
    api = LoaderRefused(at=1, pid=1, tid=1, object="/app/x.so", text="undefined symbol: cuGraphFoo")
    other = LoaderRefused(at=1, pid=1, tid=1, object="/app/x.so", text="undefined symbol: foo")
    named = LoaderRefused(at=1, pid=1, tid=1, object="/x.so", text="undefined symbol: bar, version libbar.so.1")
    assert list(names.of(api)) == [Asked(1, "symbol", "cuGraphFoo", requester="/app/x.so")]
    assert list(names.of(other)) == []
    assert list(names.of(named)) == [Asked(1, "symbol", "bar", "libbar.so.1", "libbar.so.1", "/x.so")]


@pytest.mark.parametrize(
    ("name", "like", "unlike"),
    [
        (b"libcuda.so", [b"libcuda.so.1", b"libcuda.so.535.54.03"], [b"libcudart.so", b"libcuda.so.1.debug"]),
        (b"libcudart-d0da41ae.so.11.0", [b"libcudart.so.11.0", b"libcudart-0123abcd.so.11"], [b"libcudart_static.so"]),
        (b"index.node", [b"index.node"], [b"index.node.so", b"other.node"]),
    ],
)
def test_files_are_alike_by_their_stem(name: bytes, like: list[bytes], unlike: list[bytes]) -> None:
    assert all(alike(name).fullmatch(other) for other in [name, *like])
    assert not any(alike(name).fullmatch(other) for other in unlike)


@given(st.text(), st.text())
def test_any_words_of_a_loader_are_read_without_harm(name: str, words: str) -> None:
    names = Names(PLAN)
    for text in (
        words,
        f"{name}: {NOT_FOUND}",
        f"{name}: undefined symbol: {words}",
        f"{name}: version `{words}' not found",
    ):
        for asked in names.of(refused(1, name, text)):
            assert asked.pid == 1 and asked.kind in ("library", "symbol", "version")


def test_a_copy_that_would_not_load_here_is_no_help_and_its_reason_is_told(
    scene: Scene, workshop: Workshop, libraries: dict[str, Path]
) -> None:
    helper = workshop.library("copies/libgone.so.3", "int gone;", soname="libgone.so.3")
    needy = workshop.library("copies/needy/libcuda.so.1", "int cuInit;", links=[helper], soname="libcuda.so.1")
    there = put(needy, scene.folder / "elsewhere/libcuda.so.1")
    process = scene.run({"LD_LIBRARY_PATH": f"{scene.folder}/empty:{there.parent}"})
    copy = only(scene.tell(refused(process.pid, "libcuda.so.1")))
    assert (copy.usable, copy.brought_by) == (False, "")
    assert copy.problem == f"libgone.so.3: {NOT_FOUND}"


def test_the_file_that_is_mapped_is_no_better_under_another_path(scene: Scene, libraries: dict[str, Path]) -> None:
    mapped = put(libraries["driver"], scene.folder / "first/libcuda.so.1")
    again = put(libraries["driver"], scene.folder / "second/libcuda.so.1")
    asked = Asked(1, "provider", "libcuda.so.1", library=str(mapped))
    found = judge(os.fsencode(again), asked, _Here(), LibraryCache())
    assert found is not None and (found.usable, found.problem) == (False, f"the same file as {mapped}")


def test_a_file_whose_functions_only_answer_an_error_is_made_to_link_with(tmp_path: Path) -> None:
    names = ("cuInit", "cuDeviceGet", "cuDeviceGetCount", "cuCtxCreate", "cuMemAlloc")
    for folder, body in (("link", "return 34;"), ("real", "return at > 3 ? 34 : 0;")):
        source, library = tmp_path / f"{folder}.c", tmp_path / folder / "libcuda.so"
        library.parent.mkdir()
        source.write_text("".join(f"int {name}(int at) {{ {body} }}\n" for name in names))
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        found = judge(os.fsencode(library), Asked(1, "library", "libcuda.so.1"), _Here(), LibraryCache())
        assert found is not None and found.usable == (folder == "real")


class _Here:
    def locate(self, path: bytes) -> bytes:
        assert Path(os.fsdecode(path)).exists()
        return path
