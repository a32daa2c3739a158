"""The systemd units of the processes: what their files set, what is in force, and each change of the files."""

import os

import msgspec

from inspector.stream.machine import FileChanged, UnitFile, UnitRead, UnitSetting
from inspector.stream.text import visible

from ...systemd.show import InForce, show_unit
from ...systemd.unit import Unit, read_unit
from ...systemd.unit_load_path import find_unit
from ..contract import Session, Tracked, TreeObserver
from .program import Keys
from .secrets import shown_value

CHECK_SECONDS = 2.0
_NAMED = "unit:"

_Times = dict[str, int | None]


class _LastRead(msgspec.Struct, frozen=True):
    """A unit as it was last read."""

    unit: Unit
    times: _Times
    """mtime of every file and directory that it depends on, None for one that is not there."""


class UnitSource(TreeObserver):
    """Reads the unit of each process, a unit that the target names, and those named after programs of the profiles."""

    def __init__(self, session: Session, target: str = "", root: str = "/", systemctl: str = "systemctl") -> None:
        """`target` as the user named it; `root` is where the unit folders are looked for."""
        self._session = session
        self._root = root
        self._systemctl = systemctl
        self._keys = Keys(session.plan.environment)
        self._named = [target.removeprefix(_NAMED)] if target.startswith(_NAMED) else []
        self._units: dict[str, _LastRead | None] = {}
        """None while a unit is being read for the first time."""
        self._absent: set[str] = set()
        """Names of programs after which no unit is named."""

    def start(self) -> None:
        """Read what is named and what the tree belongs to."""
        self._session.tree.watch(self)
        for name in self._named:
            self.add(name if "." in name else f"{name}.service")
        for program in self._session.plan.program_names:
            self._add_if_there(f"{os.path.basename(program)}.service")
        for process in self._session.tree.processes():
            self.executed(process)
        self._session.loop.every(CHECK_SECONDS, self._check)

    def executed(self, process: Tracked) -> None:
        """A process tells its unit, and its program's name may be that of one."""
        program = process.program
        if program is not None and program.unit is not None:
            self.add(program.unit)
        elif program is not None and program.exe:
            self._add_if_there(f"{os.path.basename(program.exe)}.service")

    def add(self, name: str) -> None:
        """Read a unit, unless it is known."""
        if name not in self._units:
            self._units[name] = None
            self._read(name)

    def _add_if_there(self, name: str) -> None:
        if name not in self._units and name not in self._absent:
            if find_unit(name, self._root).files:
                self.add(name)
            else:
                self._absent.add(name)

    def _read(self, name: str) -> None:
        def read_unit_now() -> tuple[Unit, InForce | None]:
            return read_unit(name, self._root), show_unit(name, self._systemctl)

        self._session.loop.in_background(read_unit_now, lambda found: self._send(*found))

    def _send(self, unit: Unit, in_force: InForce | None) -> None:
        self._units[unit.name] = _LastRead(unit, _times(unit.watched))
        self._session.sink.send(unit_event(self._session.loop.now(), unit, in_force, self._keys))

    def _check(self) -> None:
        """Tell changed files and read their units again."""
        for name, seen in list(self._units.items()):
            if seen is None:
                continue
            now = _times(seen.unit.watched)
            if now == seen.times:
                continue
            self._tell_changes(seen.times, now)
            self._units[name] = _LastRead(seen.unit, now)
            self._read(name)

    def _tell_changes(self, before: _Times, now: _Times) -> None:
        for path, time in now.items():
            if time != before.get(path) and not (time is not None and os.path.isdir(path)):
                what = "deleted" if time is None else "created" if before.get(path) is None else "modified"
                self._session.sink.send(FileChanged(at=self._session.loop.now(), path=visible(path), what=what))


def unit_event(at: int, unit: Unit, in_force: InForce | None, keys: Keys) -> UnitRead:
    """The event of a unit: only the variables that are collected, secrets hidden, harmless text."""
    return UnitRead(
        at=at,
        unit=visible(unit.name),
        files=[UnitFile(path=visible(path), mtime=mtime) for path, mtime in unit.files],
        settings=[
            UnitSetting(
                key=one.key, value=visible(shown_value(one.key, one.value)), path=visible(one.path), line=one.line
            )
            for one in unit.settings
            if one.key in keys
        ],
        in_force=None if in_force is None else _shown(in_force.environment, keys),
        main_pid=in_force.main_pid if in_force is not None else 0,
        started=in_force.started if in_force is not None else 0,
        needs_reload=in_force.needs_reload if in_force is not None else None,
        stderr=visible(unit.stderr),
        sandbox=[visible(one) for one in unit.sandbox],
        trouble=[visible(one) for one in unit.trouble],
    )


def _shown(environment: dict[str, str], keys: Keys) -> dict[str, str]:
    return {key: visible(shown_value(key, value)) for key, value in environment.items() if key in keys}


def _times(paths: list[str]) -> _Times:
    return {path: _time(path) for path in paths}


def _time(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
