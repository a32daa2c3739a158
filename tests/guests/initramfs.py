"""The first program of a guest: loads the modules that the disks need, mounts what a machine has, runs the command."""

import io
import lzma
from pathlib import Path

import zstandard
from elftools.elf.elffile import ELFFile

VERSION = 3
"""Raised with each change below, so that what is in a cache is built anew."""
_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "overlay", "8250_pci")
_INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t devtmpfs dev /dev
for module in /modules/*; do $B insmod $module; done
tries=0
while [ ! -b /dev/vdd ] && [ $tries -lt 200 ]; do $B usleep 50000; tries=$((tries+1)); done
$B mount -t ext4 -o noatime /dev/vda /root
for place in proc sys dev tmp run; do $B mkdir -p /root/$place; done
$B mount -t devtmpfs dev /root/dev
$B mount -t tmpfs run /root/run
$B cp /run-command /root/run/run-command
exec $B switch_root /root /bin/sh /run/run-command
"""
_RUN_COMMAND = """
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/shm /dev/pts /run/input /run/output
mount -t tmpfs shm /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmp /tmp
ip link set lo up
[ -e /etc/ld.so.cache ] || ldconfig
mount -t ext4 -o ro,noatime /dev/vdd /usr/local/lib/python3.11/dist-packages
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LANG=C.UTF-8 PYTHONUNBUFFERED=1 OUT=/run/output/files
mkdir -p /tmp/source $OUT
cd /tmp/source
tar xf /dev/vdb
stty -F /dev/OUTPUT raw -echo
sh ./.guest-command </dev/null >/dev/OUTPUT 2>&1
echo $? >/run/output/status
cat >/run/end-command <<'END'
tar cf /dev/vdc -C /run/output .
sync
echo o >/proc/sysrq-trigger
sleep 60
END
[ -e .guest-service ] || . /run/end-command
mkdir -p /run/systemd/system
cat >/run/systemd/system/guest.service <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
TimeoutStartSec=infinity
WorkingDirectory=/tmp/source
Environment=PATH=$PATH HOME=$HOME TERM=$TERM LANG=$LANG PYTHONUNBUFFERED=1 OUT=$OUT
ExecStart=-/bin/sh -c 'sh ./.guest-service </dev/null >/dev/OUTPUT 2>&1 || echo \\$\\$? >/run/output/status'
ExecStart=/bin/sh /run/end-command
END
exec /lib/systemd/systemd --unit=guest.service
"""
"""What is to run as a service comes last: then this first process becomes systemd, which needs to be that."""


def build(busybox: bytes, modules: Path, output: str) -> bytes:
    """An initramfs (cpio, "newc" format) for the kernel whose modules lie in this folder; `output` is a serial line."""
    files: list[tuple[str, int, bytes]] = [(name, 0o040755, b"") for name in ("bin", "dev", "proc", "root", "modules")]
    files += [("bin/busybox", 0o100755, busybox), ("init", 0o100755, _INIT.encode())]
    files += [("run-command", 0o100644, _RUN_COMMAND.replace("OUTPUT", output).encode())]
    for number, (name, content) in enumerate(_in_order(modules)):
        files.append((f"modules/{number:02}-{name}.ko", 0o100644, content))
    return b"".join(_entry(*file) for file in [*files, ("TRAILER!!!", 0, b"")])


def _in_order(folder: Path) -> list[tuple[str, bytes]]:
    """The modules and what they depend on, dependencies first; what is not there is built into the kernel."""
    files = {path.name.split(".")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in ordered or name not in files:
            return
        content = _uncompressed(files[name])
        for needed in _dependencies(content):
            add(needed)
        ordered[name] = content

    for name in _MODULES:
        add(name)
    return list(ordered.items())


def _uncompressed(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    return zstandard.ZstdDecompressor().decompress(content) if path.suffix == ".zst" else content


def _dependencies(module: bytes) -> list[str]:
    section = ELFFile(io.BytesIO(module)).get_section_by_name(".modinfo")
    lines = section.data().split(b"\0") if section is not None else []
    listed = next((line[8:] for line in lines if line.startswith(b"depends=")), b"")
    return [name.replace("-", "_") for name in listed.decode().split(",") if name]


def _entry(name: str, mode: int, content: bytes) -> bytes:
    """One file of a cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data.ljust((len(data) + 3) & ~3, b"\0")
