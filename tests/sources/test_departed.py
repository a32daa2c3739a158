"""Of processes that ended before anybody looked and are alike, one is looked at."""

import os
from pathlib import Path

import pytest

from inspector.collect.kernel.records import Mapped
from inspector.collect.sources.contract import Mapping, Tracked
from inspector.collect.sources.libraries.departed import Departed
from inspector.collect.sources.libraries.identity import signature
from inspector.collect.sources.libraries.snapshot import Snapshot
from inspector.stream.libraries import LibraryMapped
from inspector.stream.processes import ProcessExec


class Looked:
    """Looks at a process by itself, and counts it."""

    def __init__(self, library: Path, state: str = "current") -> None:
        self.library, self.state, self.times = library, state, 0

    def snapshot(self, pid: int, start: int) -> Snapshot:
        self.times += 1
        file = "0:1:7"
        path = str(self.library)
        found = Snapshot(open_paths={file: [os.fsencode(path)]})
        found.mappings[start] = Mapping(
            pid, path, os.fsencode(path), file, start, start + 0x2000, 0x1000, start - 0x1000
        )
        found.libraries[start - 0x1000] = LibraryMapped(
            at=1,
            pid=pid,
            path=path,
            base=start - 0x1000,
            file=file,
            route="needed",
            state=self.state,  # type: ignore[arg-type]
        )
        found.places[start - 0x1000] = os.fsencode(path)
        found.signatures[start - 0x1000] = signature(os.fsencode(path))
        return found


def look(departed: Departed, looked: Looked, pid: int, start: int, **environment: str) -> Snapshot:
    program = ProcessExec(at=1, pid=pid, argv=["p"], exe="/bin/p")
    raw = {key.encode(): value.encode() for key, value in environment.items()}
    process = Tracked(pid=pid, ppid=1, started=1, program=program, raw_environment=raw)
    record = Mapped(5, pid, pid, start, 0x2000, 0x1000, 0, 1, 7, bytes(looked.library))
    return departed.look(process, [record], 9, lambda: looked.snapshot(pid, start))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "libx.so").write_bytes(b"x")
    return tmp_path / "libx.so"


def test_the_second_of_two_that_are_alike_is_told_at_its_own_addresses_without_a_look(library: Path) -> None:
    departed, looked = Departed(), Looked(library)
    look(departed, looked, 100, 0x7000_0000)
    second = look(departed, looked, 101, 0x9000_0000)
    assert looked.times == 1
    assert second.libraries.keys() == {0x9000_0000 - 0x1000}
    event = second.libraries[0x9000_0000 - 0x1000]
    assert (event.pid, event.at, event.base, event.route) == (101, 9, 0x9000_0000 - 0x1000, "needed")
    mapping = second.mappings[0x9000_0000]
    assert (mapping.pid, mapping.end, mapping.base) == (101, 0x9000_2000, 0x9000_0000 - 0x1000)


def test_a_file_that_changed_since_is_looked_at_again(library: Path) -> None:
    departed, looked = Departed(), Looked(library)
    look(departed, looked, 100, 0x7000_0000)
    library.write_bytes(b"another content")
    look(departed, looked, 101, 0x9000_0000)
    assert looked.times == 2


def test_another_preload_is_another_program(library: Path) -> None:
    departed, looked = Departed(), Looked(library)
    look(departed, looked, 100, 0x7000_0000)
    look(departed, looked, 101, 0x9000_0000, LD_PRELOAD="/x.so")
    assert looked.times == 2


def test_what_is_not_plainly_current_is_looked_at_each_time(library: Path) -> None:
    departed, looked = Departed(), Looked(library, "replaced")
    look(departed, looked, 100, 0x7000_0000)
    look(departed, looked, 101, 0x9000_0000)
    assert looked.times == 2
