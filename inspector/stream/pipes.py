"""A subprocess and its pipes, read as much as there is."""

import os
import subprocess
import sys
from collections.abc import Sequence

_BLOCK = 1 << 20


def read_block(descriptor: int) -> bytes | None:
    """The bytes at hand, at most a block; None when there are none yet, empty at the end."""
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def in_own_group(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Ctrl-C on the terminal is for the viewer, which then ends the collector in order."""
    pipe = subprocess.PIPE
    if sys.version_info >= (3, 11):
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, process_group=0)
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, preexec_fn=os.setpgrp)
