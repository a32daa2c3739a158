"""Processes that see another file tree: private /tmp, chroot, another user's rights, no rights at all."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from inspector.stream.libraries import ImageRead, LibraryMapped
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessListed
from inspector.stream.session import LimitNoted

from .collector import NOBODY, Collector, observed
from .targets import Life, Workshop


def test_a_library_in_a_private_tmp_is_read_through_its_own_tree(workshop: Workshop) -> None:
    library = "/mnt/libprivate.so"
    script = f"mount -t tmpfs none /mnt && cp {workshop.shim} {library} && {workshop.program} load:{library} line line"
    with Life("unshare", "-m", "sh", "-c", f"{script}; true") as life:
        life.step()
        with Collector(str(life.pid)) as collector:
            pid = collector.wait(ProcessExec, lambda e: e.exe == str(workshop.program)).pid
            program = collector.program(pid)
            assert (program.own_root, program.root) == (True, "/")
            assert program.mount_namespace != Path("/proc/self/ns/mnt").stat().st_ino
            mapped = collector.library(pid, "libprivate.so")
            assert (mapped.path, mapped.state) == (library, "current")
            image = collector.wait(ImageRead, lambda e: e.file == mapped.file)
            assert (image.error, image.soname) == (None, "libshim.so.1")
            collector.quit()
    assert not Path(library).exists()


def test_a_chrooted_program_is_told_in_its_own_paths(workshop: Workshop, tmp_path: Path) -> None:
    jail = tmp_path / "jail"
    (jail / "bin").mkdir(parents=True)
    (jail / "lib").mkdir()
    shutil.copy(workshop.static, jail / "bin/program")
    with Life("chroot", str(jail), "/bin/program", "line") as life, Collector(str(life.pid)) as collector:
        program = collector.wait(ProcessExec, lambda e: e.static is True)
        assert (program.own_root, program.root, program.exe) == (True, str(jail), "/bin/program")
        mapped = collector.library(life.pid, "/bin/program")
        assert (mapped.path, mapped.route, mapped.state) == ("/bin/program", "executable", "current")
        collector.quit()


def test_links_inside_a_chroot_do_not_lead_out_of_it(workshop: Workshop, tmp_path: Path) -> None:
    jail = _jail(workshop, tmp_path)
    (jail / "lib/libshim.so").symlink_to("/lib/libshim.so.1")
    words = ("chroot", str(jail), "/bin/program", "load:/lib/libshim.so", "line")
    with Life(*words) as life, Collector(str(life.pid)) as collector:
        mapped = collector.library(life.pid, "libshim.so.1")
        assert (mapped.path, mapped.state) == ("/lib/libshim.so.1", "current")
        assert mapped.links == ["/lib/libshim.so", "/lib/libshim.so.1"]
        collector.quit()


def test_ones_own_process_is_observed_without_root_and_what_is_lost_is_said(workshop: Workshop) -> None:
    words = (
        f"load:{workshop.shim}", "line", "line", "exit:3"
    )  # fmt: skip
    with _as_nobody(workshop, *words) as life, Collector(str(life.pid), uid=NOBODY) as collector:
        collector.library(life.pid, "libc.so.6")
        assert collector.program(life.pid).uid == NOBODY
        shim = collector.library(life.pid, "libshim.so.1")
        assert (shim.route, shim.state) == ("dlopen", "current")
        limit = collector.wait(LimitNoted)
        assert limit.grant.startswith("sudo inspector") and limit.why
        life.step()
        life.step()
        assert collector.end(life.pid).code == 3
        assert collector.finish().ok


def test_children_are_seen_without_root_too(workshop: Workshop) -> None:
    with Collector(
        "--run-output", "null", "--", "sh", "-c", f"{workshop.program} sleep:300 exit:4; true", uid=NOBODY
    ) as collector:
        child = collector.wait(ProcessExec, lambda e: e.exe == str(workshop.program))
        assert child.argv[-1] == "exit:4"
        assert collector.wait(ProcessEnded, lambda e: e.pid == child.pid).code == 4
        assert collector.library(child.pid, "libc.so.6").route == "needed"
        assert collector.finish().ok


def test_the_list_says_what_another_user_cannot_observe(workshop: Workshop) -> None:
    with (
        Life(workshop.program, "line") as roots,
        _as_nobody(workshop, "line") as own,
        Collector("--list", uid=NOBODY) as collector,
    ):
        refused = collector.wait(ProcessListed, lambda e: e.pid == roots.pid)
        assert (refused.observable, refused.user, refused.libraries) == ("no", "root", [])
        assert f"sudo inspector {roots.pid}" in refused.why
        assert collector.wait(ProcessListed, lambda e: e.pid == own.pid).observable == "partly"
        collector.finish()


def _as_nobody(workshop: Workshop, *words: str) -> Life:
    change = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    return Life(*change, str(workshop.program), *words)


def _jail(workshop: Workshop, tmp_path: Path) -> Path:
    """A folder with our program, the shim and the libraries that the program needs."""
    jail = tmp_path / "jail"
    (jail / "bin").mkdir(parents=True)
    (jail / "lib").mkdir()
    (jail / "lib64").symlink_to("lib")
    shutil.copy(workshop.program, jail / "bin/program")
    shutil.copy(workshop.shim, jail / "lib/libshim.so.1")
    needed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    paths = {line.split()[0]: line.split()[-1] for line in needed.splitlines() if "=>" in line and "x86-64" in line}
    for name in ("libc.so.6", "libdl.so.2", "ld-linux-x86-64.so.2"):
        if name not in paths:
            pytest.skip(f"{name} is not in ld.so.cache here")
        shutil.copy(paths[name], jail / "lib" / name)
    return jail


@pytest.mark.longer
def test_a_library_in_shared_memory_is_a_library_and_other_memory_there_is_none(workshop: Workshop) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        library, other = Path(folder) / "libshm.so.1", Path(folder) / "sem.memory"
        for each in (library, other):
            shutil.copy(workshop.shim, each)
        loads = f"import ctypes; [ctypes.CDLL(each) for each in ({str(library)!r}, {str(other)!r})]"
        seen = observed(sys.executable, "-c", loads)
    mapped = {event.path for event in seen.all(LibraryMapped)}
    assert str(library) in mapped and str(other) not in mapped
