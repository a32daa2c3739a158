"""Running a helper program for so long and no longer: a link or a network that does not answer must not hang us."""

import os
import signal
import subprocess
from collections.abc import Sequence


def run_bounded(command: Sequence[str], seconds: float, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end and keep what it prints; TimeoutError when it is not done in so many seconds.

    Then it is killed with all that it started, because whoever still holds its pipes would be waited for.
    """
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        printed, words = running.communicate(stdin, seconds)
    except BaseException as error:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"not done in {seconds:.0f} s") from None
        raise
    finally:
        for pipe in (running.stdin, running.stdout, running.stderr):
            if pipe is not None:
                pipe.close()
    return subprocess.CompletedProcess(command, running.returncode, printed, words)
