"""Is it the right process, and is the setting in force in it?"""

from collections.abc import Iterable, Iterator

from inspector.model import commands_by_hand, evidence
from inspector.model.coverage import born_here
from inspector.model.evidence import short
from inspector.model.formatting import duration, listed, name_of
from inspector.model.state import Process
from inspector.model.tree import roots, title
from inspector.stream.machine import UnitRead
from inspector.stream.processes import Peer, SameNameProcess

from .context import Context
from .rule import Hit, Pattern

_SPECIFIER = "%"
"""systemd expands it (systemd.unit(5)); such a value cannot be compared as it stands."""


class SettingNotInForce(Pattern):
    id = "setting-not-in-force"
    place = "which process"
    notice = True
    meaning = (
        "A unit file or /etc/ld.so.preload is newer than the process and says something else than the process has: "
        "the edit was not loaded, or the service was not restarted after it."
    )
    proof = "Times of the file and of the process, and what stands in the environment of the process."
    cure = "Reload the unit and restart the service."

    def find(self, context: Context) -> Iterable[Hit]:
        for unit in context.state.units.values():
            process = _main_process(context, unit)
            if process is not None:
                yield from self._of_unit(context, unit, process)
        yield from self._of_preload_file(context)

    def _of_unit(self, context: Context, unit: UnitRead, process: Process) -> Iterator[Hit]:
        has = context.environment(process)
        if has is None:
            return
        places = {setting.key: setting for setting in unit.settings}
        for key, setting in places.items():
            known = context.profiles.environment_key(key)
            if known is None or known.kind in ("search", "debug") or has.get(key) == setting.value:
                continue
            age = _younger(context, unit, setting.path, process)
            if _SPECIFIER in setting.value or (age <= 0 and not unit.needs_reload):
                continue
            yield self._hit(unit, process, key, setting.value, has.get(key), setting.path, age)

    def _hit(self, unit: UnitRead, process: Process, key: str, value: str, has: str | None, path: str, age: int) -> Hit:
        reload = unit.needs_reload or (unit.in_force is not None and unit.in_force.get(key) != value)
        step = "systemctl daemon-reload && " if reload else ""
        older = f"{name_of(path)} is {duration(age)} newer than {short(process)}" if age > 0 else f"{name_of(path)}"
        state = f"it has {key}={has}" if has is not None else f"{key} is not in that process"
        return Hit(
            title=f"{older}; its {key} is not in force: {state}",
            cause=f"The file says {key}={value}, but the process began before that and never got it.",
            next_step="reload the unit and restart the service",
            command=f"{step}systemctl restart {unit.unit}",
            process=process,
            confidence="proven" if age > 0 or reload else "likely",
            evidence=[
                evidence.of_file_on_disk(path, f"{path}: {key}={value}", by_hand=commands_by_hand.unit(unit.unit)),
                evidence.of_environment(process, key, f"{short(process)}: {state}"),
            ],
            place="environment",
            doubt="A wrapper in ExecStart= could set it differently on purpose.",
        )

    def _of_preload_file(self, context: Context) -> Iterator[Hit]:
        for process in roots(context.state):
            for file in context.state.preload_files.values():
                age = _wall_age(context, file.mtime, process)
                mapped = {library.path for library in process.libraries.values()}
                if not file.entries or age <= 0 or not mapped or mapped.intersection(file.entries):
                    continue
                yield Hit(
                    title=f"{file.path} is {duration(age)} newer than {short(process)}; it has no effect there",
                    cause="The file is read when a program starts, never later.",
                    next_step=f"restart {short(process)}; better: take the line out and set it for one service only",
                    process=process,
                    severity="warning",
                    confidence="proven",
                    evidence=[evidence.of_file_on_disk(file.path, f"{file.path}: {listed(file.entries)}")],
                    place="environment",
                )


def _main_process(context: Context, unit: UnitRead) -> Process | None:
    """The process that the unit runs: its main pid, else the first of the tree that is of this unit."""
    for process in context.state.processes:
        runs = context.program(process)
        if process.pid == unit.main_pid and not process.ended:
            return process
        if not unit.main_pid and runs is not None and runs.unit == unit.unit:
            return process
    return None


def _younger(context: Context, unit: UnitRead, path: str, process: Process) -> int:
    mtime = next((file.mtime for file in unit.files if file.path == path), 0)
    return _wall_age(context, mtime, process)


def _wall_age(context: Context, mtime: int, process: Process) -> int:
    """How much younger a file is than a process, ns; 0 when that cannot be told."""
    session = context.state.session
    if session is None or not mtime:
        return 0
    return mtime - (session.wall + process.started - session.at)


class OtherServiceAnswers(Pattern):
    id = "other-service-answers"
    place = "which process"
    notice = True
    meaning = (
        "Another process of the same name serves the port that clients talk to; the one under observation does not."
    )
    proof = "The sockets of both processes: the port is served by the other one."
    cure = "Observe the other process, or stop one of the two."

    def find(self, context: Context) -> Iterable[Hit]:
        ports = {port for profile in context.profiles.profiles for port in profile.ports}
        served = {_port(address) for process in context.state.processes for address in _listening(process)}
        first = context.state.processes[0] if context.state.processes else None
        for other in context.state.others:
            if other.in_tree or first is None or not _same_program(context, first, other):
                continue
            for port in sorted({_port(address) for address in other.listening} & ports - served):
                who = f"PID {other.pid} ({other.unit or name_of(other.exe)})"
                yield Hit(
                    title=f"port {port} is served by {who}; you are looking at {short(first)}",
                    cause="Two installations, one port: clients are served by the other one.",
                    next_step="observe that process, or stop one of the two",
                    command=f"inspector {other.pid}",
                    process=first,
                    confidence="proven" if first.sockets is not None and not served else "likely",
                    evidence=[
                        evidence.of_process(first, f"{short(first)} does not listen on {port}"),
                        evidence.of_process(
                            first, f"{who} listens on {port}", by_hand=commands_by_hand.sockets(other.pid)
                        ),
                    ],
                    doubt="Clients may be told to use another port (OLLAMA_HOST)." if served else "",
                )


def _same_program(context: Context, process: Process, other: SameNameProcess) -> bool:
    runs = context.program(process)
    return runs is not None and name_of(runs.exe) == name_of(other.exe)


def _listening(process: Process) -> list[str]:
    return process.sockets.listening if process.sockets is not None else []


def _port(address: str) -> int:
    last = address.rsplit(":", 1)[-1]
    return int(last) if last.isdigit() and len(last) < 6 else 0


class ClientOnly(Pattern):
    id = "client-only"
    place = "which process"
    meaning = "The process only talks to a local service over a socket; the GPU work, if any, is done by that service."
    proof = "Its connection to a service of another process, and no question for an API of devices in its tree."
    cure = "Observe the service."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in roots(context.state):
            peer = self._service(context, process)
            if peer is None or self._has_gpu_business(context):
                continue
            who = f"PID {peer.pid}" if peer.pid else "another process"
            yield Hit(
                title=f"{short(process)} is a client: it talks to {peer.address}, where {who} does the work",
                cause="Nothing set, mapped or traced in this process affects the GPU mode of the service.",
                next_step="observe the service that does the work",
                command=f"inspector {peer.pid}" if peer.pid else f"ss -tlnp | grep {peer.address.rsplit(':', 1)[-1]}",
                process=process,
                confidence="proven" if peer.pid and born_here(process) else "likely",
                evidence=[
                    evidence.of_process(
                        process,
                        f"connected to {peer.address} {peer.argv}",
                        by_hand=f"ss -tnp | grep pid={process.pid},",
                    ),
                    evidence.of_process(
                        process, "no process of this tree provides, needs or asks for an API of devices"
                    ),
                ],
                doubt="A program may do both: ask a service and compute itself.",
            )

    def _service(self, context: Context, process: Process) -> Peer | None:
        inside = {one.pid for one in context.state.processes}
        peers = process.sockets.connected if process.sockets is not None else []
        return next((peer for peer in peers if peer.pid not in inside), None)

    def _has_gpu_business(self, context: Context) -> bool:
        return any(context.rank(process) <= 1 or _listening(process) for process in context.state.processes)


class WorkDoneByChildren(Pattern):
    id = "work-done-by-children"
    place = "which process"
    notice = True
    meaning = (
        "The observed process does not use the GPU itself; its (possibly short-lived) children do. Its own "
        "mappings and calls prove nothing."
    )
    proof = "Only children asked for or called an API of devices."
    cure = "Look at the children; ended ones stay on the screen."

    def find(self, context: Context) -> Iterable[Hit]:
        children = [one for one in context.state.processes if one.parent is not None and context.rank(one) <= 1]
        names = listed((short(child) for child in children), 3)
        for process in roots(context.state) if children else ():
            if context.rank(process) <= 1:
                continue
            verb = "does" if len(children) == 1 else "do"
            yield Hit(
                title=f"{short(process)} does not ask for the GPU itself; {names} {verb}",
                cause="Discovery and work are done in child processes: the parent's libraries and calls do not "
                "show them.",
                next_step=f"look at {short(children[0])}; ended processes stay on the screen",
                process=process,
                severity="info",
                confidence="proven",
                evidence=[
                    evidence.of_process(child, f"{title(child)}, lived {_life(context, child)}")
                    for child in children[:10]
                ],
            )


def _life(context: Context, process: Process) -> str:
    return duration((process.ended or context.state.now) - process.started)


PATTERNS: tuple[Pattern, ...] = (SettingNotInForce(), OtherServiceAnswers(), ClientOnly(), WorkDoneByChildren())
