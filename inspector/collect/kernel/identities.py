"""Whose process numbers the kernel's programs see."""

import os

_INITIAL = "pid:[4026531836]"
"""PROC_PID_INIT_INO of include/linux/proc_ns.h."""


def foreign_pid_namespace() -> str:
    """Why numbers that kernel programs tell would not be ours; empty when they are."""
    try:
        name = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    if name == _INITIAL:
        return ""
    return "inspector runs in a PID namespace of its own, whose numbers kernel programs do not know"
