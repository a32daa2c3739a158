"""What the machine itself shows of GPUs: device files, the driver's version, kernel modules, PCI functions."""

import glob
import grp
import os
import pwd
import stat
from collections.abc import Iterable

from inspector.stream.machine import DeviceNode, GpuRead
from inspector.stream.text import decode

_USUAL = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm", "/dev/kfd", "/dev/dri/renderD128", "/dev/dxg")
"""Told also when they are absent: NVIDIA, AMD, render nodes, WSL."""
_MODULES = ("nvidia", "nouveau", "amdgpu", "radeon", "i915", "xe", "vfio", "nova")
_CLASSES = ("03", "12")
"""PCI base classes: display controller, processing accelerator (linux/pci_ids.h)."""
_MOST_NODES = 64


def read_gpu(at: int, patterns: Iterable[str], root: str = "/") -> GpuRead:
    """Everything below `root`; `patterns` are globs of the watch plan."""
    return GpuRead(
        at=at,
        devices=_nodes(patterns, root),
        modules=_modules(_text(root, "proc/modules")),
        driver=decode(_text(root, "proc/driver/nvidia/version").partition(b"\n")[0]),
        pci=_pci(root),
    )


def _nodes(patterns: Iterable[str], root: str) -> list[DeviceNode]:
    found = set(_USUAL)
    for pattern in patterns:
        if pattern.startswith("/dev/"):
            found |= {"/" + os.path.relpath(path, root) for path in glob.glob(root.rstrip("/") + pattern)}
    nodes = (_node(path, root) for path in sorted(found)[:_MOST_NODES])
    return [node for node in nodes if node is not None]


def _node(path: str, root: str) -> DeviceNode | None:
    """None for what is no device file (a directory, a link to nothing)."""
    try:
        status = os.stat(root.rstrip("/") + path)
    except OSError:
        return DeviceNode(path=path, present=False) if path in _USUAL else None
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        return None
    owner = f"{_user(status.st_uid)}:{_group(status.st_gid)}"
    return DeviceNode(path=decode(os.fsencode(path)), present=True, mode=stat.filemode(status.st_mode), owner=owner)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _modules(raw: bytes) -> list[str]:
    names = (decode(line.split(b" ", 1)[0]) for line in raw.splitlines() if line)
    return sorted(name for name in names if name.startswith(_MODULES))


def _pci(root: str) -> list[str]:
    """`0000:00:05.0 10de:2331 class 030200` for each GPU or accelerator (sysfs-bus-pci)."""
    rows = []
    for folder in sorted(glob.glob(os.path.join(root, "sys/bus/pci/devices/*"))):
        kind, vendor, device = (_number(folder, name) for name in ("class", "vendor", "device"))
        if kind.zfill(6).startswith(_CLASSES):
            rows.append(f"{os.path.basename(folder)} {vendor}:{device} class {kind.zfill(6)}")
    return rows


def _number(folder: str, name: str) -> str:
    return decode(_text(folder, name).strip().removeprefix(b"0x"))


def _text(root: str, name: str) -> bytes:
    try:
        with open(os.path.join(root, name), "rb") as file:
            return file.read(1 << 18)
    except OSError:
        return b""
