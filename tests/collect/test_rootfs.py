"""Paths as a process sees them: links are walked inside its tree, never out of it."""

import os
from pathlib import Path

import pytest

from inspector.collect.kernel.rootfs import DanglingLinkError, Root
from inspector.collect.sources.tolerant_reads import attempt

from .targets import Life, Workshop


@pytest.fixture
def own() -> Root:
    return Root(os.getpid())


def test_a_chain_of_links_is_told_once_each(own: Root, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/lib.so.1.2").touch()
    (tmp_path / "dir").symlink_to("real")
    (tmp_path / "real/lib.so.1").symlink_to("lib.so.1.2")
    (tmp_path / "lib.so").symlink_to("dir/lib.so.1")
    found = own.resolve(os.fsencode(tmp_path / "lib.so"))
    assert os.fsdecode(found.real) == str(tmp_path / "real/lib.so.1.2")
    names = ["lib.so", "dir/lib.so.1", "real/lib.so.1.2"]
    assert [os.fsdecode(link) for link in found.links] == [str(tmp_path / name) for name in names]


def test_a_path_without_links_has_no_chain(own: Root, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert own.resolve(os.fsencode(tmp_path / "plain")).links == []
    assert own.resolve(os.fsencode(tmp_path / "x/../plain").replace(b"x/../", b"./")).links == []


def test_loops_and_dead_links_are_errors_not_hangs(own: Root, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "dead").symlink_to("nowhere")
    with pytest.raises(OSError, match="symbolic links"):
        own.resolve(os.fsencode(tmp_path / "a"))
    with pytest.raises(DanglingLinkError) as dead:
        own.resolve(os.fsencode(tmp_path / "dead"))
    assert dead.value.target == os.fsencode(tmp_path / "nowhere")


def test_our_own_tree_is_not_foreign(own: Root) -> None:
    assert not own.foreign
    assert own.outside(b"/x") == own.inside(b"/x") == b"/x"


def test_absolute_links_stay_inside_a_foreign_tree(workshop: Workshop, tmp_path: Path) -> None:
    jail = tmp_path / "jail"
    (jail / "bin").mkdir(parents=True)
    (jail / "bin/program").write_bytes(workshop.static.read_bytes())
    (jail / "bin/program").chmod(0o755)
    (jail / "lib.so").symlink_to("/bin/program")
    (jail / "up").symlink_to("../../../../../bin/program")
    with Life("chroot", str(jail), "/bin/program", "line", "line") as life:
        life.step()
        root = Root(life.pid)
        assert root.foreign and root.key != Root(os.getpid()).key
        assert root.inside(os.fsencode(jail / "bin/program")) == b"/bin/program"
        for name in (b"/lib.so", b"/up"):
            found = root.resolve(name)
            assert found.real == b"/bin/program"
            assert os.path.samestat(found.status, (jail / "bin/program").stat())
        assert Path(os.fsdecode(root.outside(b"/bin/program"))).read_bytes() == workshop.static.read_bytes()


def test_the_tree_of_a_process_that_is_gone_is_an_error_that_callers_expect() -> None:
    assert attempt(lambda: Root(2**22 - 1), None) is None
