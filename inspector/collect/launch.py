"""A command started under observation: it waits, already followed, until everybody is ready, and then executes."""

import errno
import os
import pwd
import shlex
import signal
from collections.abc import Iterable, Sequence

from .kernel import procfs
from .sources.contract import Tracked
from .sources.processes.processes import SAME_BIRTH
from .target import TargetError

_EXEC_FAILED = 127
"""What shells exit with when a command cannot be executed."""


class Launch:
    """One child of ours. Create it before any thread is started: it is a plain fork(2)."""

    def __init__(self, command: Sequence[str], output: str = "stderr", *, as_caller: bool = False) -> None:
        """`output`: where its stdout and stderr go: `stderr` (ours), `null`, or the path of a file.

        Its stdin is /dev/null: ours carries requests. `as_caller`: only we were to have root's rights, not the command.
        TargetError when the output file cannot be opened.
        """
        self.command, self._output = list(command), output
        caller = _caller() if as_caller else None
        target = _open_output(output, caller)
        go_read, self._go = os.pipe()
        self._failure, failure_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._go)  # or the end of the collector would leave it waiting for ever
            _become(self.command, go_read, failure_write, target, caller)
        os.close(go_read)
        os.close(failure_write)
        os.read(self._failure, 1)  # its descriptors are the command's from here on, for those who look at them
        if target > 2:
            os.close(target)
        self.lives = True

    def captured(self) -> dict[tuple[int, int], str]:
        """The file that catches its output, by device and inode, with what it holds; empty where there is none."""
        if self._output in ("stderr", "null"):
            return {}
        status = os.stat(self._output)
        name = os.path.basename(self.command[0])
        return {(status.st_dev, status.st_ino): f"stdout and stderr of {name}"}

    def go(self) -> None:
        """Let it execute; TargetError when it cannot."""
        os.write(self._go, b"\0")
        os.close(self._go)
        code = os.read(self._failure, 16)
        os.close(self._failure)
        if code:
            self.reap()
            why, help = _why_not(self.command[0], int(code))
            raise TargetError("no-such-target", f"cannot start {self.command[0]}: {why}", help)

    def reap(self) -> None:
        """Collect it once it has ended, so that no zombie stays."""
        if self.lives:
            os.waitpid(self.pid, 0)
            self.lives = False

    def ask_to_end(self, tree: Iterable[Tracked]) -> None:
        """Send SIGTERM to it and to all that it started: nobody else would end them."""
        self._signal(signal.SIGTERM, tree)

    def make_it_end(self, tree: Iterable[Tracked]) -> None:
        """Send SIGKILL to those that did not end."""
        self._signal(signal.SIGKILL, tree)

    def _signal(self, number: signal.Signals, tree: Iterable[Tracked]) -> None:
        """Parents come first in a tree: a shell must not go on with its next command."""
        if self.lives:
            os.kill(self.pid, number)  # while it is not reaped its pid is its own
        for process in tree:
            if process.pid != self.pid:
                _send(process, number)


def _why_not(program: str, number: int) -> tuple[str, str]:
    """Why exec(2) refused a program, and the command that shows it."""
    words = shlex.quote(program)
    if number != errno.ENOENT:
        return os.strerror(number).lower(), f"ls -l {words}"
    if "/" not in program:
        return "no such program in PATH", f"command -v {words}"
    if os.path.exists(program):
        return "its interpreter does not exist", f"head -c 80 {words}; readelf -l {words}"
    return "no such file", f"ls -l {words}"


def _send(process: Tracked, number: signal.Signals) -> None:
    """By a descriptor and only with the birth that we know: a number may belong to a stranger by now."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        if abs(procfs.stat(process.pid).started - process.started) < SAME_BIRTH:
            signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return  # it has ended
    finally:
        os.close(descriptor)


def _caller() -> pwd.struct_passwd | None:
    """Who called sudo(8); None where nobody did, or root itself."""
    uid = os.environ.get("SUDO_UID", "")
    if os.geteuid() != 0 or not uid.isdecimal() or int(uid) == 0:
        return None
    try:
        return pwd.getpwuid(int(uid))
    except KeyError:
        why = f"uid {uid}, who called sudo, has no entry in passwd: so the user to run the command as is not known"
        raise TargetError("not-permitted", why) from None


def _be(caller: pwd.struct_passwd) -> None:
    """For good: ids, groups, and what tells them to programs."""
    os.initgroups(caller.pw_name, caller.pw_gid)
    os.setgid(caller.pw_gid)
    os.setuid(caller.pw_uid)
    os.environ.update(HOME=caller.pw_dir, USER=caller.pw_name, LOGNAME=caller.pw_name, SHELL=caller.pw_shell)


def _open_output(output: str, caller: pwd.struct_passwd | None) -> int:
    """The file belongs to whom the command runs as."""
    if output == "stderr":
        return 2
    path = os.devnull if output == "null" else output
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if caller is not None and output != "null":
            os.fchown(opened, caller.pw_uid, caller.pw_gid)
        return opened
    except OSError as error:
        why = f"cannot write the command's output to {path}: {os.strerror(error.errno or 0)}"
        raise TargetError("not-permitted", why) from None


def _become(command: list[str], go: int, failure: int, output: int, caller: pwd.struct_passwd | None) -> None:
    """In the child: wait for the word, then be the command; never returns."""
    try:
        os.setpgid(0, 0)  # Ctrl-C at the terminal is for the collector
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.write(failure, b"\0")
        if not os.read(go, 1):
            os._exit(_EXEC_FAILED)  # the collector is gone
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if caller is not None:
            _be(caller)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(failure, str(error.errno or 0).encode())
    os._exit(_EXEC_FAILED)
