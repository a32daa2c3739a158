"""Kernels and the root file system of the guests, built once from Debian's packages and kept in a cache folder."""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import initramfs
from .archive import Archive, archive_address
from .build_cache import ImageError, building, cache_folder, persistently, run_command


@dataclass(frozen=True)
class Processor:
    """What Debian, and uname(2), call a kind of processor."""

    debian: str
    machine: str
    output: str
    """The second serial line of its guests."""


X86_64, ARM64 = Processor("amd64", "x86_64", "ttyS1"), Processor("arm64", "aarch64", "ttyS0")


@dataclass(frozen=True)
class Kernel:
    """The stock kernel of a release of Debian."""

    release: str
    processor: Processor = X86_64


KERNELS = {
    "5.10": Kernel("bullseye"),
    "6.1": Kernel("bookworm"),
    "6.12": Kernel("trixie"),
    "6.12-arm64": Kernel("trixie", ARM64),
}
"""Kernel series -> whose it is."""
_ROOT_RELEASE, ROOT_PYTHON = "bookworm", "3.11"
_PACKAGES = (
    "python3", "gcc", "g++", "libc6-dev", "binutils", "procps", "kmod", "iproute2", "util-linux", "busybox-static",
    "systemd",
)  # fmt: skip
_UNUSED = ("argparse-manpage", "mypy", "ruff", "import-linter", "grimp", "types-", "ast-serialize", "librt")
"""Of our locked requirements: what no test in a guest imports."""
_LOCK = Path(__file__).parents[2] / "requirements.lock"
_IMAGE_SIZE = "3G"


def kernel(series: str) -> tuple[Path, Path]:
    """The kernel of a series and an initramfs for it; raises ImageError."""
    folder = cache_folder() / f"kernel-{series}-{initramfs.VERSION}"
    with building(folder) as needed:
        if needed:
            persistently(lambda: _download_kernel(series, folder), f"the kernel {series}")
    return folder / "vmlinuz", folder / "initramfs"


def root(processor: Processor = X86_64) -> Path:
    """An ext4 image of a small Debian with Python and a compiler; raises ImageError."""
    folder = cache_folder() / f"root-{_key(_ROOT_RELEASE, _PACKAGES, *_foreign(processor))}"
    with building(folder) as needed:
        if needed:
            persistently(lambda: _bootstrap(folder, processor), f"the root file system of {processor.debian}")
    return folder / "root.ext4"


def requirements(processor: Processor = X86_64) -> Path:
    """An ext4 image of our locked requirements, as the root's Python wants them; raises ImageError."""
    lines = (line.split("#")[0].strip() for line in _LOCK.read_text().splitlines())
    wanted = [line for line in lines if line and not line.startswith(_UNUSED)]
    folder = cache_folder() / f"requirements-{_key(ROOT_PYTHON, wanted, *_foreign(processor))}"
    with building(folder) as needed:
        if needed:
            persistently(lambda: _install(folder, wanted, processor), f"the requirements of {processor.debian}")
    return folder / "requirements.ext4"


def busybox(processor: Processor = X86_64) -> bytes:
    """A statically linked busybox, as the root file system has it."""
    return (root(processor).parent / "busybox").read_bytes()


def _download_kernel(series: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        room = Path(name)
        package = _fetch_kernel_package(KERNELS[series], room)
        run_command("dpkg-deb", "-x", str(package), str(room / "unpacked"))
        (image,) = (room / "unpacked" / "boot").glob("vmlinuz-*")
        shutil.copy(image, folder / "vmlinuz")
        (modules,) = (path for path in room.glob("unpacked/**/kernel") if path.parent.parent.name == "modules")
        processor = KERNELS[series].processor
        (folder / "initramfs").write_bytes(initramfs.build(busybox(processor), modules, processor.output))


def _fetch_kernel_package(kernel: Kernel, room: Path) -> Path:
    """The newest stock kernel of a release."""
    archive = Archive(kernel.release, room, kernel.processor.debian)
    described = archive.run("apt-cache", "show", f"linux-image-{kernel.processor.debian}")
    names = re.findall(r"^Depends: (linux-image-\S+)", described, re.M)
    if not names:
        raise ImageError(f"the archive has no stock kernel of {kernel.release}")
    archive.run("apt-get", "-q", "download", names[0])
    (package,) = room.glob("linux-image-*.deb")
    return package


def _bootstrap(folder: Path, processor: Processor) -> None:
    if os.geteuid() != 0:
        raise ImageError("the guests' root file system is built by debootstrap, which needs root")
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        tree = Path(name) / "root"
        words = ["--variant=minbase", f"--include={','.join(_PACKAGES)}", f"--arch={processor.debian}"]
        words += ["--foreign"] * bool(_foreign(processor))
        # In mount points of its own: what it leaves mounted is gone with it. Never umount below the tree by hand: its
        # /proc may be a link to ours.
        apart = ("unshare", "--mount", "--propagation", "private")
        run_command(*apart, "debootstrap", *words, _ROOT_RELEASE, str(tree), archive_address(), seconds=900)
        if _foreign(processor):
            _unpack(tree)
        command = tree / "usr/local/bin/inspector"
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text('#!/bin/sh\nexec python3 -m inspector "$@"\n')
        command.chmod(0o755)
        library = f"/usr/lib/python{ROOT_PYTHON}"
        if not _foreign(processor):
            run_command("chroot", str(tree), "python3", "-m", "compileall", "-q", library)
        elif f"{sys.version_info.major}.{sys.version_info.minor}" == ROOT_PYTHON:
            run_command(sys.executable, "-m", "compileall", "-q", "-s", str(tree), f"{tree}{library}")
        shutil.copy(tree / "bin/busybox", folder / "busybox")
        shutil.rmtree(tree / "var/cache/apt/archives")
        shutil.rmtree(tree / "var/lib/apt/lists", ignore_errors=True)
        run_command("mkfs.ext4", "-q", "-O", "^has_journal", "-d", str(tree), str(folder / "root.ext4"), _IMAGE_SIZE)


def _unpack(tree: Path) -> None:
    """What debootstrap fetched for another processor, whose own programs cannot run here to set it up."""
    for package in sorted(tree.glob("var/cache/apt/archives/*.deb")):
        run_command("dpkg-deb", "-x", str(package), str(tree))
    for name in ("passwd", "group"):
        shutil.copy(tree / f"usr/share/base-passwd/{name}.master", tree / "etc" / name)
    (tree / f"usr/local/lib/python{ROOT_PYTHON}/dist-packages").mkdir(parents=True, exist_ok=True)
    for link, meant in {"usr/bin/cc": "gcc", "usr/bin/sh": "dash"}.items():
        if not (tree / link).is_symlink():
            (tree / link).symlink_to(meant)


def _foreign(processor: Processor) -> list[str]:
    return [] if processor == X86_64 else [processor.debian]


def _install(folder: Path, wanted: list[str], processor: Processor) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as target:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        platforms = [
            f"--platform={one}_{processor.machine}" for one in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
        ]
        pip += [*platforms, f"--python-version={ROOT_PYTHON}", "--only-binary=:all:", "--target", target]
        run_command(*pip, *wanted)
        image = folder / "requirements.ext4"
        run_command("mkfs.ext4", "-q", "-O", "^has_journal", "-d", target, str(image), _IMAGE_SIZE)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
