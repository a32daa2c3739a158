"""Files on disk that change under a running process."""

import errno
import os
import time
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver

from inspector.collect.sources import path_watch
from inspector.collect.sources.contract import Mapping
from inspector.collect.sources.libraries.files import FileSource
from inspector.collect.sources.path_watch import PathWatch
from inspector.stream.libraries import Export, ImageRead
from inspector.stream.machine import FileChanged
from inspector.stream.requests import ApiPlan, Plan
from inspector.stream.session import LimitNoted

from .fakes import Bench

CUDA = ApiPlan(api="cuda-driver", sonames=["libcuda.so.1"], prefixes=["cu"], functions=[])


class _Heard:
    """Counts calls for one path."""

    def __init__(self, bench: Bench, watch: PathWatch, path: Path) -> None:
        self.bench = bench
        self.calls = 0
        watch.on_change(str(path), self._count)

    def _count(self) -> None:
        self.calls += 1

    def within(self) -> None:
        """Wait for one more call."""
        before = self.calls
        self.bench.until(lambda: self.calls > before)


def _wake_only(bench: Bench) -> None:
    """Leave out the looks: only what inotify tells counts."""
    bench.loop.timers.clear()


def test_inotify_tells_of_every_kind_of_change(tmp_path: Path) -> None:
    bench = Bench()
    watch = PathWatch(bench.session.loop, bench.session.sink)
    path = tmp_path / "x"
    heard = _Heard(bench, watch, path)
    for change in (
        lambda: path.write_text("1"),
        lambda: path.write_text("22"),
        lambda: (tmp_path / "new").write_text("333"),
        lambda: (tmp_path / "new").rename(path),
        lambda: path.unlink(),
        lambda: path.symlink_to("elsewhere"),
    ):
        change()
        if path.exists() and (tmp_path / "new").exists():
            continue
        heard.within()
    watch.close()
    assert heard.calls >= 5


def test_without_inotify_changes_are_seen_by_looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(BaseObserver, "schedule", refuse)
    bench = Bench()
    watch = PathWatch(bench.session.loop, bench.session.sink)
    heard = _Heard(bench, watch, tmp_path / "x")
    _Heard(bench, watch, tmp_path / "y")
    (tmp_path / "x").write_text("1")
    heard.within()
    limits = bench.sink.of(LimitNoted)
    assert [limit.grant for limit in limits] == ["sudo sysctl fs.inotify.max_user_watches=524288"]
    watch.close()


def test_a_directory_that_does_not_exist_yet_is_looked_for(tmp_path: Path) -> None:
    bench = Bench()
    watch = PathWatch(bench.session.loop, bench.session.sink)
    heard = _Heard(bench, watch, tmp_path / "later" / "x")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "x").write_text("1")
    heard.within()
    watch.close()


def test_a_directory_made_anew_is_followed_again(tmp_path: Path) -> None:
    bench = Bench()
    watch = PathWatch(bench.session.loop, bench.session.sink)
    folder = tmp_path / "d"
    folder.mkdir()
    heard = _Heard(bench, watch, folder / "x")
    folder.rename(tmp_path / "old")
    folder.mkdir()
    (folder / "x").write_text("1")
    heard.within()
    (folder / "x").write_text("22")
    heard.within()
    watch.close()


def test_the_number_of_followed_directories_is_bounded_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(path_watch, "MOST_FOLDERS", 2)
    bench = Bench()
    watch = PathWatch(bench.session.loop, bench.session.sink)
    heard = []
    for name in "abcd":
        (tmp_path / name).mkdir()
        heard.append(_Heard(bench, watch, tmp_path / name / "x"))
    (tmp_path / "d" / "x").write_text("1")
    heard[3].within()
    assert len(bench.sink.of(LimitNoted)) == 1
    watch.close()


def test_a_forgotten_path_is_silent(tmp_path: Path) -> None:
    bench = Bench()
    watch = PathWatch(bench.session.loop, bench.session.sink)
    heard = _Heard(bench, watch, tmp_path / "x")
    other = _Heard(bench, watch, tmp_path / "y")
    watch.forget(str(tmp_path / "x"))
    (tmp_path / "x").write_text("1")
    (tmp_path / "y").write_text("1")
    other.within()
    assert heard.calls == 0
    watch.forget(str(tmp_path / "y"))
    watch.forget(str(tmp_path / "never"))
    watch.close()


def test_a_directory_full_of_noise_is_looked_at_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_watch, "_NOISY", 20)
    bench = Bench()
    watch = PathWatch(bench.session.loop, bench.session.sink)
    heard = _Heard(bench, watch, tmp_path / "x")
    for number in range(300):
        (tmp_path / f"noise{number}").touch()
    bench.until(lambda: not any(folder.watch for folder in watch._folders.values()))
    (tmp_path / "x").write_text("1")
    heard.within()
    watch.close()


def _mapped(bench: Bench, path: Path, image: ImageRead) -> FileSource:
    source = FileSource(bench.session)
    source.start()
    process = bench.tree.add(os.getpid())
    mapping = Mapping(os.getpid(), str(path), os.fsencode(path), "1:1:1", 0, 1, 0, 0)
    source.image(process, mapping, image)
    return source


def _image(path: Path, name: str) -> ImageRead:
    return ImageRead(at=0, file="1:1:1", path=str(path), soname="libcuda.so.1", exports=[Export(name=name)])


def test_a_library_that_is_replaced_rewritten_and_deleted_is_told(tmp_path: Path) -> None:
    bench = Bench(Plan(apis=[CUDA]))
    path = tmp_path / "libvgpu.so"
    path.write_text("one")
    source = _mapped(bench, path, _image(path, "cuInit"))

    def told() -> list[str]:
        return [one.what for one in bench.sink.of(FileChanged) if one.path == str(path)]

    (tmp_path / "new").write_text("two")
    (tmp_path / "new").rename(path)
    bench.until(lambda: told() == ["replaced"])
    time.sleep(1.01)  # within a second a file that is being written is not told twice
    path.write_text("three!")
    bench.until(lambda: told() == ["replaced", "modified"])
    path.unlink()
    bench.until(lambda: told()[-1] == "deleted")
    path.write_text("four")
    bench.until(lambda: told()[-1] == "created")
    source.close()


def test_a_link_beside_the_library_that_leads_elsewhere_is_a_replaced_file(tmp_path: Path) -> None:
    bench = Bench(Plan(apis=[CUDA]))
    path, link = tmp_path / "libvgpu.so", tmp_path / "libcuda.so.1"
    path.write_text("one")
    (tmp_path / "vendor.so").write_text("two")
    link.symlink_to(path)
    source = _mapped(bench, path, _image(path, "cuInit"))
    link.unlink()
    link.symlink_to(tmp_path / "vendor.so")
    bench.until(lambda: [one.path for one in bench.sink.of(FileChanged)][-1:] == [str(link)])
    source.close()


def test_a_library_of_no_interest_is_not_watched(tmp_path: Path) -> None:
    bench = Bench(Plan(apis=[CUDA]))
    path = tmp_path / "libother.so"
    path.write_text("one")
    source = _mapped(bench, path, _image(path, "custom_name"))
    path.write_text("two!")
    for _ in range(5):
        bench.loop.turn()
    assert bench.sink.of(FileChanged) == []
    source.close()


def test_a_preload_entry_is_watched_before_it_exists(tmp_path: Path) -> None:
    bench = Bench()
    source = FileSource(bench.session)
    source.start()
    bench.tree.add(os.getpid(), environment={b"LD_PRELOAD": os.fsencode(tmp_path / "shim.so")})
    (tmp_path / "shim.so").write_text("built at last")
    bench.until(lambda: [one.what for one in bench.sink.of(FileChanged)] == ["created"])
    source.close()
