"""System calls that the kernel refused: opens of devices, files and folders, and all others that are told."""

import re
from collections.abc import Iterable, Iterator
from errno import ENOENT

from inspector.model.formatting import errno_name
from inspector.model.state import Process

from .row import Attempt

DEVICE_NODE = re.compile(r"/(nvidia\d+|nvidiactl|nvidia-uvm|nvidia-caps/.*|kfd|renderD\d+|dxg)$")
"""Device files without which nothing is computed: NVIDIA's, the DRM's render nodes, KFD, and WSL's. Screens and
debuggers alone need nvidia-modeset and nvidia-uvm-tools."""
_SEARCH = re.compile(
    r"/(glibc-hwcaps|tls|haswell|x86_64)/|\.so[.\d]*$|\.(pyc?|pth|conf|json|cfg|jar|mo|class|egg-link)$|"
    r"/locale/|/(ld\.so|etc)/|__pycache__|/$"
)
"""Paths at which programs look again and again until they find what they want."""


def refused_opens(process: Process) -> Iterator[Attempt]:
    """Opens that failed; the search along a path is left out, a device that is not there is not."""
    for opened in process.opens:
        if not opened.errno:
            continue
        if opened.errno == ENOENT and _SEARCH.search(opened.path) and not DEVICE_NODE.search(opened.path):
            continue
        yield Attempt(
            process, "system", opened.path, False, opened.at, tid=opened.tid, answer=errno_name(opened.errno),
            code=opened.errno, opened=opened,
        )  # fmt: skip


def refused_calls(process: Process) -> Iterator[Attempt]:
    """All other system calls that failed; those that are only summed are harmless."""
    for refused in process.refused_calls:
        yield Attempt(
            process, "system", refused.subject or refused.call, False, refused.at, tid=refused.tid, call=refused.call,
            answer=errno_name(refused.errno), code=refused.errno, refused_call=refused,
        )  # fmt: skip


def refused_node(rows: Iterable[Attempt]) -> Attempt | None:
    """The device file whose refusal tells most: one that is there and closed, else the last that was asked for.

    Numbered nodes are asked for one after the other: of those that are not there the first stands for all.
    """
    nodes = [row for row in rows if is_device(row.what)]
    closed = [row for row in nodes if row.code != ENOENT]
    first: dict[str, Attempt] = {}
    for row in nodes:
        first.setdefault(row.what.rstrip("0123456789"), row)
    single = [row for row in first.values() if "/renderD" not in row.what]
    return next((some[-1] for some in (closed, single) if some), nodes[0] if nodes else None)


def is_device(path: str) -> bool:
    """The file of a GPU."""
    return DEVICE_NODE.search(path) is not None
