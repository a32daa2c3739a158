"""What the user named: a pid, a name, a unit, a container or a library, and the processes that this means now."""

import os
import pwd
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from inspector.stream.invocation import INTERPRETERS, SHELLS, is_call, is_inspector, program_words
from inspector.stream.text import decode

from .container_names import names_of
from .kernel import cgroup, procfs
from .kernel.records import Mapped
from .kernel.refusals import hidden_processes
from .sources.processes.joining import Program, program_of
from .sources.processes.secrets import shown_arguments
from .sources.tolerant_reads import attempt

Kind = Literal["no-such-target", "not-permitted", "ended"]
_MOST_CANDIDATES = 10


class TargetError(Exception):
    """The target cannot be observed; the words are for the user."""

    def __init__(self, kind: Kind, why: str, help: str = "") -> None:
        super().__init__(why)
        self.kind: Kind = kind
        self.why = why
        self.help = help


class Target(msgspec.Struct, frozen=True):
    """A target as the user wrote it."""

    text: str
    kind: Literal["pid", "name", "unit", "container", "library"]
    value: str

    @property
    def is_group(self) -> bool:
        """True when new processes may belong to it that no process of the tree gave birth to."""
        return self.kind in ("unit", "container")

    @property
    def process_names(self) -> list[str]:
        """How the kernel may name a process of this program when it begins; empty when it may have any name."""
        if self.kind != "name" or any(map(str.isspace, self.value)):
            return []
        scripts = SHELLS if self.value.endswith(("sh", ".bash")) else ()
        return [os.path.basename(self.value), *INTERPRETERS, *scripts]

    def find(self, waits: bool = False) -> list[int]:
        """The topmost living processes that it means; TargetError when there is none, or no single tree.

        `waits`: others of that name may come (`--wait`), so all are kept that run it: a client before its server.
        Not those of a shell or interpreter, which have nothing to do with each other.
        """
        match self.kind:
            case "pid":
                return [find_pid(int(self.value))]
            case "name" if waits:
                found = topmost(program.pid for program in all_programs() if self.matches(program))
                return [] if len(found) > 1 and self.value in (*SHELLS, *INTERPRETERS) else found
            case "name":
                return [self._only(topmost(self._named()))]
            case "library":
                return topmost(processes_mapping(self.value))
            case _:
                found = topmost(self._in_group())
                if not found:
                    raise self._missing()
                return found

    def matches(self, program: Program) -> bool:
        """True when a program that begins now is the target (`--wait`)."""
        match self.kind:
            case "pid":
                return program.pid == int(self.value)
            case "name":
                return self._runs(program) and program.pid not in _ourselves()
            case "library":
                return False
            case _:
                path = attempt(lambda: procfs.cgroup(program.pid), "")
                return self._is_group(path)

    def _runs(self, program: Program) -> bool:
        """A word names a program, never an argument (`systemctl start WORD`); several words are a command line."""
        words = self.value.split()
        if len(words) == 1:
            return has_name(program, self.value) or os.fsencode(self.value) in program_words(program.argv)
        return is_call(program.argv, os.fsencode(self.value))

    def _named(self) -> list[int]:
        """Exact names before what interpreters run, and both before parts of command lines.

        The last never of those who started us with that very word, nor of another inspector that looks for it too.
        """
        programs = [program for program in all_programs() if program.pid != os.getpid()]
        exact = [program.pid for program in programs if has_name(program, self.value)]
        starters = _ourselves()
        others = [each for each in programs if each.pid not in starters and not is_inspector(each.argv)]
        run = [each.pid for each in others if self._runs(each)]
        return exact or run or [each.pid for each in others if in_command_line(each, self.value)]

    def _only(self, pids: list[int]) -> int:
        if not pids:
            raise self._missing()
        if len(pids) > 1:
            shown = ", ".join(f"{pid} ({_one_line(pid)})" for pid in pids[:_MOST_CANDIDATES])
            more = f" and {len(pids) - _MOST_CANDIDATES} more" if len(pids) > _MOST_CANDIDATES else ""
            why = f"`{self.text}` matches {len(pids)} process trees: {shown}{more}"
            raise TargetError("no-such-target", why, f"name one by its PID: inspector {pids[0]}")
        return pids[0]

    def _in_group(self) -> list[int]:
        groups = ((pid, attempt(lambda pid=pid: procfs.cgroup(pid), "")) for pid in procfs.pids())  # type: ignore[misc]
        return [pid for pid, path in groups if self._is_group(path)]

    def _is_group(self, path: str) -> bool:
        if self.kind == "unit":
            name = self.value if "." in self.value else f"{self.value}.service"
            return name in path.split("/")
        return any(self._is_container(each) for each in cgroup.containers_of(path))

    def _is_container(self, container: str) -> bool:
        by_id = container == self.value or (len(self.value) >= 4 and container.startswith(self.value))
        return by_id or self.value in names_of(container)

    def _missing(self) -> TargetError:
        wait = f"to wait for it: inspector --wait {self.text}"
        match self.kind:
            case "unit":
                return TargetError("no-such-target", f"no process runs in the unit {self.value}", wait)
            case "container":
                why = f"no process runs in a container that is named {self.value} or whose id begins so"
                return TargetError("no-such-target", why, wait)
            case _:
                why = f"no process has `{self.text}` as its name or in its command line"
                if os.path.isfile(self.text):
                    why += "; it is a file, but not a recording"
                    wait = f"processes that map it: inspector lib:{self.text}; {wait}"
                if hidden := hidden_processes():
                    return TargetError("not-permitted", f"{why}; {hidden.why}", hidden.grant)
                return TargetError("no-such-target", why, f"inspector list; {wait}")


def parse_target(text: str) -> Target:
    """A target from the command line; TargetError when it cannot mean anything."""
    prefix, colon, rest = text.partition(":")
    kinds: dict[str, Literal["unit", "container", "library"]] = {
        "unit": "unit", "container": "container", "lib": "library"
    }  # fmt: skip
    if colon and prefix in kinds:
        if not rest:
            raise TargetError("no-such-target", f"`{text}` matches nothing", f"{prefix}:NAME")
        return Target(text, kinds[prefix], os.path.abspath(rest) if prefix == "lib" else rest)
    if text.isascii() and text.isdigit():
        return Target(text, "pid", text)
    if not text.strip():
        raise TargetError("no-such-target", "the target is empty", "inspector list")
    return Target(text, "name", text)


def awaited(text: str) -> Callable[[int], bool]:
    """Whether a process that has just begun its program is the target of that text."""

    def matches(pid: int) -> bool:
        try:
            return parse_target(text).matches(program_of(procfs.stat(pid)))
        except (OSError, TargetError):
            return False

    return matches


def find_pid(pid: int) -> int:
    """The process with this pid (a thread's number means its process); TargetError when there is none to observe."""
    try:
        stat = procfs.stat(pid)
        leader = int(procfs.status(pid).get(b"Tgid", b"0"))
    except OSError:
        if hidden := hidden_processes():
            why = f"PID {pid} is not visible here: {hidden.why}"
            raise TargetError("not-permitted", why, hidden.grant) from None
        raise TargetError("no-such-target", f"there is no process with PID {pid}", "inspector list") from None
    name = decode(stat.comm)
    if stat.kernel_thread:
        why = f"PID {pid} ({name}) is a kernel thread: it has no program, no libraries, no environment"
        raise TargetError("no-such-target", why, "inspector list")
    if not stat.alive:
        parent = decode(attempt(lambda: procfs.stat(stat.ppid).comm, b"?"))
        why = f"PID {pid} ({name}) has ended; it is a zombie until its parent {stat.ppid} ({parent}) reaps it"
        raise TargetError("ended", why, f"inspector {stat.ppid}")
    return leader or pid


def check_permitted(pid: int) -> None:
    """TargetError when neither memory map nor environment of a process may be read."""
    try:
        procfs.read(pid, "maps")
        procfs.read(pid, "auxv")
    except ProcessLookupError:
        raise TargetError("ended", f"PID {pid} ended just now", "inspector list") from None
    except OSError:
        owner = attempt(lambda: os.stat(procfs.path_of(pid)).st_uid, -1)
        raise TargetError("not-permitted", *_refusal(pid, owner, os.geteuid())) from None


def _refusal(pid: int, owner: int, ours: int) -> tuple[str, str]:
    """Why a process may not be looked into (ptrace(2), PTRACE_MODE_READ), and the command that helps."""
    seen = "its arguments, vitals and children can be seen, its libraries, environment, open files and calls cannot"
    if ours == 0 or owner == ours:
        why = (
            f"the kernel refuses PID {pid} ({_one_line(pid)}) to {_user(ours)}: it holds capabilities that you "
            f"lack, is protected by a security module, or may not be dumped; {seen}"
        )
        return why, "inspector doctor" if ours == 0 else f"sudo inspector {pid}"
    why = f"PID {pid} ({_one_line(pid)}) belongs to {_user(owner)}, and you are {_user(ours)}: {seen}"
    return why, f"sudo inspector {pid}"


def processes_mapping(path: str) -> list[int]:
    """All processes that map this file now, by identity or, when it was replaced since, by path."""
    wanted = os.fsencode(path)
    status = attempt(lambda: os.stat(wanted), None)
    key = procfs.stat_key(status) if status else ""
    return [pid for pid in procfs.pids() if maps_file(pid, wanted, key)]


def is_mapping_of(path: str, record: Mapped) -> bool:
    """True when a mapping that just came shows this file, by what lies at the path now or by its name."""
    status = attempt(lambda: os.stat(path), None)
    key = procfs.file_key(record.major, record.minor, record.inode)
    return record.path == os.fsencode(path) or (status is not None and procfs.stat_key(status) == key)


def maps_file(pid: int, path: bytes, key: str) -> bool:
    """Cheap when it does not: the raw text is searched for the path or the inode before it is parsed."""
    raw = attempt(lambda: procfs.read(pid, "maps"), b"")
    inode = key.rpartition(":")[2].encode()
    if path not in raw and (not inode or b" " + inode + b" " not in raw):
        return False
    lines = filter(None, map(procfs.parse_map_line, raw.splitlines()))
    return any(line.path == path or (key and line.file == key) for line in lines)


def topmost(pids: Iterable[int]) -> list[int]:
    """Those of the processes that have none of the others above them, in order of pid."""
    wanted = set(pids)
    parents = {stat.pid: stat.ppid for stat in procfs.all_stats()}
    return sorted(pid for pid in wanted if not any(above in wanted for above in _above(pid, parents)))


def all_programs() -> Iterable[Program]:
    """Every process that runs a program: no kernel threads, no zombies."""
    for stat in procfs.all_stats():
        if stat.alive and not stat.kernel_thread:
            yield program_of(stat)


def has_name(program: Program, name: str) -> bool:
    """True when its name, its executable's name or the name in its first argument is exactly this."""
    wanted = os.fsencode(name)
    first = program.argv[0] if program.argv else b""
    exe = program.exe.removesuffix(b" (deleted)")
    return wanted in (program.comm, exe, os.path.basename(exe), first, os.path.basename(first))


def in_command_line(program: Program, part: str) -> bool:
    """True when the words of its command line hold this text."""
    return os.fsencode(part) in b" ".join(program.argv)


def _above(pid: int, parents: dict[int, int]) -> Iterable[int]:
    seen = {pid}
    while (pid := parents.get(pid, 0)) and pid not in seen:
        seen.add(pid)
        yield pid


def _ourselves() -> set[int]:
    """This process, those that led to it, and its helpers: their words are ours."""
    parents = {stat.pid: stat.ppid for stat in procfs.all_stats()}
    helpers = (pid for pid in parents if os.getpid() in _above(pid, parents))
    return {os.getpid(), *_above(os.getpid(), parents), *helpers}


def _one_line(pid: int) -> str:
    words = shown_arguments(attempt(lambda: procfs.argv(pid), list[bytes]()))
    text = " ".join(words) or decode(attempt(lambda: procfs.stat(pid).comm, b"?"))
    return text if len(text) <= 60 else f"{text[:59]}…"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {uid}"
