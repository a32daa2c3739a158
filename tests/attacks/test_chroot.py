"""A target in a chroot: its paths mean its own tree, whatever lies under the same names in ours."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.stream.libraries import LibraryMapped
from inspector.stream.logs import LogRead
from inspector.stream.processes import ProcessExec
from tests.access.conftest import STRANGER, needs_root

from .observed import record

pytestmark = pytest.mark.longer

_PROGRAMS = ("/bin/sh", "/bin/sleep")


@pytest.fixture
def jail(tmp_path: Path) -> Iterator[Path]:
    """A tree with a shell and what it needs."""
    tree = tmp_path / "jail"
    for program in _PROGRAMS:
        needed = re.findall(r"(/\S+)", subprocess.run(["ldd", program], capture_output=True, text=True).stdout)
        for path in (program, *needed):
            place = tree / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    yield tree


@needs_root
@pytest.mark.parametrize("above", ["", "../../../../../../.."])
def test_a_log_that_leads_out_of_the_chroot_is_read_as_its_process_would(jail: Path, above: str) -> None:
    outside = jail.parent / "precious.log"
    outside.write_text("what only root may read\n")
    outside.chmod(0o600)
    (jail / "x.log").symlink_to(f"{above}{outside}")
    inside = jail / str(outside).lstrip("/")
    inside.parent.mkdir(parents=True)
    inside.write_text("what is there inside\n")
    for place in (inside, *inside.parents[: len(inside.parts) - len(jail.parts)]):
        os.chown(place, STRANGER, STRANGER)
    words = ["chroot", f"--userspec={STRANGER}:{STRANGER}", str(jail), "/bin/sh", "-c", "exec /bin/sleep 60 >>/x.log"]
    with subprocess.Popen(words) as inmate:
        try:
            while "sleep" not in Path(f"/proc/{inmate.pid}/comm").read_text():
                assert inmate.poll() is None
            seen = record(jail.parent, str(inmate.pid), "--for", "3s")
        finally:
            inmate.kill()
    lines = [line.text for event in seen.of(LogRead) for line in event.lines]
    assert "what only root may read" not in (jail.parent / "seen.jsonl").read_text()
    assert "what is there inside" in lines


@needs_root
def test_a_program_in_a_chroot_and_its_libraries_are_told_as_it_sees_them(jail: Path) -> None:
    words = ["chroot", str(jail), "/bin/sh", "-c", "/bin/sleep 1; exit 7"]
    seen = record(jail.parent, program=words)
    inside = [event for event in seen.of(ProcessExec) if event.own_root]
    assert {event.exe.rpartition("/")[2] for event in inside} >= {"sleep"}
    assert {event.root for event in inside} == {str(jail)}
    pids = {event.pid for event in inside}
    paths = [event.path for event in seen.of(LibraryMapped) if event.pid in pids]
    assert any("libc" in path for path in paths)
    assert any(not path.startswith(str(jail)) for path in paths)
