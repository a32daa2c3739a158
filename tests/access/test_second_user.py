"""What another user prepares for root: configuration, caches, folders, files to be written."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.access import user_cache
from inspector.demo.build import _cache
from inspector.model.profiles import ProfileError, load
from inspector.stream.files import FileRefusedError, create, stranger_on_the_way
from inspector.view import config_file

from .conftest import STRANGER, needs_root

_PROFILE = 'name = "planted"\n'


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder like /tmp: everybody may write, nobody removes what is another's."""
    with tempfile.TemporaryDirectory(prefix="shared-") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.fixture
def config(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder of a stranger's that root's environment points to."""
    folder = home / "shim-inspector/profiles"
    folder.mkdir(parents=True)
    (folder / "x.toml").write_text(_PROFILE)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return folder / "x.toml"


@needs_root
def test_root_reads_no_profile_of_a_stranger(config: Path) -> None:
    os.chown(config, STRANGER, STRANGER)
    with pytest.raises(ProfileError, match=f"belongs to uid {STRANGER}"):
        load()
    assert load([config])  # whoever names it means it


@needs_root
def test_under_sudo_the_profiles_of_the_person_at_the_keyboard_are_read(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(config, STRANGER, STRANGER)
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert load()


@needs_root
def test_a_profile_that_everybody_may_write_is_not_read(config: Path) -> None:
    config.chmod(0o666)
    with pytest.raises(ProfileError, match="written by everybody"):
        load()


@needs_root
def test_a_cache_of_a_stranger_is_not_executed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    assert home not in _cache().parents


@needs_root
@pytest.mark.parametrize("kind", ["link", "file", "hard link", "fifo"])
def test_a_name_that_a_stranger_has_laid_is_not_written_through(home: Path, kind: str) -> None:
    place, victim = home / "report.html", home.parent / "victim"
    victim.write_text("precious")
    if kind == "link":
        place.symlink_to(victim)
    elif kind == "hard link":
        place.hardlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(place)
        os.chown(place, STRANGER, STRANGER)
    else:
        place.write_text("")
        os.chown(place, STRANGER, STRANGER)
    with pytest.raises(FileRefusedError):
        create(str(place))
    assert victim.read_text() == "precious"


@needs_root
def test_folders_in_tmp_are_made_anew_and_those_of_strangers_are_left_alone() -> None:
    laid = Path(tempfile.gettempdir()) / f"inspector-run-laid-{os.getpid()}"
    laid.mkdir()
    (laid / "theirs").write_text("theirs")
    os.chown(laid, STRANGER, STRANGER)
    words = [sys.executable, "-m", "inspector", "report", "--for", "2s", "--", "true"]
    try:
        subprocess.run(words, capture_output=True, timeout=60)
        assert (laid / "theirs").read_text() == "theirs"
    finally:
        (laid / "theirs").unlink()
        laid.rmdir()


@needs_root
def test_root_follows_no_link_of_somebody_else_to_what_it_writes(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, theirs = shared / "victim", shared / "theirs"
    victim.mkdir(mode=0o700)
    (victim / "precious").write_text("precious\n")
    (theirs / "config").mkdir(parents=True)
    (theirs / "cache").mkdir()
    (theirs / "cache/shim-inspector").symlink_to(victim)
    (theirs / "config/config.toml").symlink_to(victim / "precious")
    for place in (theirs, *theirs.rglob("*")):
        os.chown(place, STRANGER, STRANGER, follow_symlinks=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(theirs / "cache"))
    user_cache.write("met", b"x")
    with pytest.raises(PermissionError, match=str(STRANGER)):
        config_file.write(theirs / "config/config.toml", "theme = 1\n")
    assert list(victim.iterdir()) == [victim / "precious"]
    assert (victim / "precious").read_text() == "precious\n"


@needs_root
def test_our_own_links_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "cache").symlink_to("real")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    user_cache.write("met", b"x")
    assert user_cache.read("met", 10) == b"x"
    assert (tmp_path / "real/shim-inspector/met").exists()


def test_a_folder_in_which_everybody_may_rename_leads_anywhere(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert stranger_on_the_way(tmp_path / "open/x") is not None
    (tmp_path / "open").chmod(0o1777)
    assert stranger_on_the_way(tmp_path / "open/x") is None
    (tmp_path / "loop").symlink_to("loop")
    assert stranger_on_the_way(tmp_path / "loop/x") is None
