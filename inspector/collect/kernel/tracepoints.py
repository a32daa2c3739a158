"""The root of tracefs, without mounting it anywhere that others can see."""

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
# System calls of the mount API, the same on all architectures since Linux 5.2 (unistd.h), and linux/mount.h.
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSCONFIG_CMD_CREATE = 6
_CLOEXEC = 1
_MOUNTED = "/sys/kernel/tracing"


class TracefsError(OSError):
    """tracefs is out of reach: not mounted and not permitted to be opened."""


def open_tracefs() -> int:
    """A descriptor of its root folder; TracefsError when it is out of reach."""
    try:
        mounted = os.open(_MOUNTED, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return _detached()
    if os.access("events", os.R_OK | os.X_OK, dir_fd=mounted):
        return mounted
    os.close(mounted)
    return _detached()


def _detached() -> int:
    """A mount of tracefs that belongs to no name space: only this descriptor sees it, and it ends with it."""
    context = _call(_FSOPEN, ctypes.c_char_p(b"tracefs"), _CLOEXEC)
    try:
        _call(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _call(_FSMOUNT, context, _CLOEXEC, 0)
    finally:
        os.close(context)


def _call(number: int, *arguments: object) -> int:
    result: int = _LIBC.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise TracefsError(code, f"tracefs cannot be read: {os.strerror(code)}")
    return result
