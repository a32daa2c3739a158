"""Commands that show the same fact by hand: they teach, and they let a person check what the inspector says."""

from collections.abc import Sequence
from shlex import quote

from inspector.stream.invocation import program_name
from inspector.stream.processes import ProcessExec

from .state import Process

_PICTURES = {0x2400 + code: code for code in range(1, 0x20)}
"""Pictures of control characters, as arguments of a target are carried (stream/text.py), back to what they show."""


def shell(words: Sequence[str]) -> str:
    """Words as a shell of today takes them, each on one line: control characters as $'...' (bash(1), QUOTING)."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    word = word.translate(_PICTURES)
    if word.isprintable():
        return quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(one if one.isprintable() else _escape(one) for one in escaped) + "'"


def _escape(one: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(
        one, "".join(f"\\x{byte:02x}" for byte in one.encode(errors="replace"))
    )


def wait_for(runs: ProcessExec | None) -> str:
    """Observe the next start of a program; empty where it has no name."""
    return wait_for_name(program_name(runs.argv, runs.exe)) if runs is not None else ""


def wait_for_name(name: str) -> str:
    """Observe the next start of what is called so; empty for no name."""
    return f"inspector --wait {quote(name)}" if name else ""


def _outside(process: Process, path: str) -> str:
    """A path as it is reached from outside the process's own file tree."""
    program = process.program
    if program is None or not program.own_root or not path.startswith("/"):
        return path
    alive = alive_beside(process)
    return f"/proc/{(alive or process).pid}/root{path}"


def alive_beside(process: Process) -> Process | None:
    """The process, else its nearest living ancestor that sees the same file tree; None where none is left."""
    own, one = process.program, process
    while own is not None and one.ended:
        if one.parent is None:
            return None
        one = one.parent
        runs = one.program
        if runs is not None and (runs.mount_namespace, runs.root) != (own.mount_namespace, own.root):
            return None
    return one


def path(process: Process, path: str) -> str:
    """Whether a file is there, and whose it is."""
    return f"ls -ld {quote(_outside(process, path))}"


def paths(process: Process, paths: Sequence[str]) -> str:
    """Which of several files are there, and whose they are."""
    return f"ls -ld {' '.join(quote(_outside(process, one)) for one in paths)}"


def listing(process: Process, *paths: str) -> str:
    """What lies in folders, or what files are, links included."""
    return f"ls -l {' '.join(quote(_outside(process, one)) for one in paths)}"


def manifest(process: Process, path: str) -> str:
    """What a JSON file says, or where its syntax is wrong."""
    return f"python3 -m json.tool {quote(_outside(process, path))}"


def inodes(process: Process, *paths: str) -> str:
    """Whether paths lead to one file or to several: inode, size and time, links followed."""
    return f"ls -liL {' '.join(quote(_outside(process, one)) for one in paths)}"


def below(process: Process, folder: str) -> str:
    """All that lies in a folder and below it."""
    return f"ls -R {quote(_outside(process, folder))}"


def search(process: Process, pattern: str) -> str:
    """Where on its file system a file of such a name lies."""
    return f"find {quote(_outside(process, '/'))} -xdev -name {quote(pattern)} 2>/dev/null"


def link(process: Process, target: str, place: str) -> str:
    """Make a link where the process sees it."""
    return f"ln -s {quote(target)} {quote(_outside(process, place))}"


def raised(process: Process, path: str) -> str:
    """What gives a program more privileges than its caller has: file capabilities, a set-user-id bit."""
    return f"getcap {quote(_outside(process, path))}; ls -l {quote(_outside(process, path))}"


def environment(pid: int, key: str = "") -> str:
    """The environment of a process as it began."""
    command = f"tr '\\0' '\\n' < /proc/{pid}/environ"
    return f"{command} | grep {quote('^' + key + '=')}" if key else command


def difference(pid: int, parent: int) -> str:
    """Two environments side by side."""
    return f"diff <(tr '\\0' '\\n' < /proc/{parent}/environ | sort) <(tr '\\0' '\\n' < /proc/{pid}/environ | sort)"


def maps(pid: int, path: str) -> str:
    """Where a file is mapped in a process."""
    return f"grep {quote(path)} /proc/{pid}/maps"


def consumers() -> str:
    """Which processes of the machine have a library mapped that computes on a GPU by CUDA or HIP."""
    return "grep -lE '/lib(cudart|cublas|ggml-cuda|ggml-hip|torch_cuda|torch_hip)' /proc/[0-9]*/maps 2>/dev/null"


def identity(process: Process, path: str) -> str:
    """Inode, size and times of a file, links followed and not."""
    return f"stat -L {quote(_outside(process, path))}; ls -l {quote(_outside(process, path))}"


def kind(process: Process, path: str) -> str:
    """What a file is, links followed, and who may read it."""
    return f"file -L {quote(_outside(process, path))}; ls -lL {quote(_outside(process, path))}"


def dynamic(process: Process, path: str) -> str:
    """SONAME, needed libraries and search paths of a file."""
    return f"readelf -d {quote(_outside(process, path))}"


def header(process: Process, path: str) -> str:
    """Class, machine and interpreter of a file."""
    return f"readelf -hl {quote(_outside(process, path))}"


def exported(process: Process, path: str, name: str) -> str:
    """Whether a file offers a name."""
    return f"nm -D --defined-only {quote(_outside(process, path))} | grep -w {quote(name)}"


def offered(process: Process, path: str, name: str) -> str:
    """Whether a file has a name in any form: exported, local or as a C++ function."""
    return f"nm -a {quote(_outside(process, path))} | grep {quote(name)}"


def undefined(process: Process, path: str, name: str = "") -> str:
    """Which names a file wants from others."""
    command = f"nm -D --undefined-only {quote(_outside(process, path))}"
    return f"{command} | grep -w {quote(name)}" if name else command


def wanted(process: Process, path: str, name: str) -> str:
    """That a file wants a name from others; one whose folder is not known is looked for."""
    if "/" in path:
        return undefined(process, path, name)
    found = f"find {quote(_outside(process, '/'))} -xdev -name {quote(path)}"
    return f"{found} -exec nm -AD --undefined-only {{}} + 2>/dev/null | grep -w {quote(name)}"


def versions(process: Process, path: str) -> str:
    """Version nodes that a file offers and needs."""
    return f"readelf -V {quote(_outside(process, path))}"


def needed(process: Process, path: str) -> str:
    """Which libraries a file needs, read and not loaded (`ldd` may run code of the file)."""
    return f"readelf -d {quote(_outside(process, path))} | grep -E 'NEEDED|RPATH|RUNPATH'"


def secure(pid: int) -> str:
    """AT_SECURE (23) of a process: 1 makes its loader ignore LD_PRELOAD."""
    return f"od -An -t d8 -w16 /proc/{pid}/auxv | awk '$1 == 23'"


_FROM_NOW_ON = "   # calls to come"


def count(process: Process, path: str, function: str) -> str:
    """Count a function by process and caller."""
    place = _outside(process, path)
    return f"bpftrace -e {quote(f'uprobe:{place}:{function} {{ @[pid, comm, ustack(2)] = count(); }}')}{_FROM_NOW_ON}"


def results(process: Process, path: str, function: str, exits: Sequence[int]) -> str:
    """Results of a function by process, read at its exits: a return probe (uretprobe) ends programs that throw."""
    if not exits:
        return count(process, path, function)
    places = ", ".join(f"uprobe:{_outside(process, path)}:{address:#x}" for address in exits)
    program = f'{places} {{ @[pid, (int32)reg("ax")] = count(); }}'
    return f"bpftrace -e {quote(program)}{_FROM_NOW_ON}"


def descriptors(pid: int) -> str:
    """Where a process writes."""
    return f"ls -l /proc/{pid}/fd"


def waits(pid: int) -> str:
    """In which system call each thread waits."""
    return f"grep . /proc/{pid}/task/*/syscall /proc/{pid}/task/*/wchan"


def log(name: str, number: int, text: str) -> str:
    """A line of a log."""
    if name.startswith("/"):
        return f"sed -n {number + 1}p {quote(name)}"
    if name.startswith("journal of "):
        return f"journalctl -u {quote(name.removeprefix('journal of '))} | grep -F {quote(text[:60])}"
    return ""


def log_lines(name: str, pattern: str) -> str:
    """All lines of a log that tell of something."""
    if name.startswith("/"):
        return f"grep -n -i -E {quote(pattern)} {quote(name)}"
    if name.startswith("journal of "):
        return f"journalctl -u {quote(name.removeprefix('journal of '))} | grep -i -E {quote(pattern)}"
    return ""


def code(process: Process, path: str, function: str) -> str:
    """What a function does, instruction by instruction: one that only answers success is a few of them."""
    return f"objdump -d --no-show-raw-insn --disassemble={quote(function)} {quote(_outside(process, path))}"


def unit(name: str) -> str:
    """A unit as it is in force."""
    return f"systemctl show {quote(name)} -p Environment,DropInPaths,MainPID,NeedDaemonReload"


def tree(pid: int) -> str:
    """The process with its children."""
    return f"ps --forest -o pid,ppid,stat,lstart,args -g {pid}"


def sockets(pid: int) -> str:
    """Ports of a process."""
    return f"ss -tlnp | grep pid={pid},"
