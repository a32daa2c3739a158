"""Kernels and the root file system of the guests, built once from Debian's packages and kept in a cache folder."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import initramfs
from .archive import Archive, archive_address
from .build_cache import ImageError, building, cache_folder, run_command

KERNELS = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie"}
"""Kernel series -> the release of Debian whose stock kernel it is."""
_ROOT_RELEASE, ROOT_PYTHON = "bookworm", "3.11"
_PACKAGES = (
    "python3", "gcc", "g++", "libc6-dev", "binutils", "procps", "kmod", "iproute2", "util-linux", "busybox-static",
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
            _download_kernel(series, folder)
    return folder / "vmlinuz", folder / "initramfs"


def root() -> Path:
    """An ext4 image of a small Debian with Python and a compiler; raises ImageError."""
    folder = cache_folder() / f"root-{_key(_ROOT_RELEASE, _PACKAGES)}"
    with building(folder) as needed:
        if needed:
            _bootstrap(folder)
    return folder / "root.ext4"


def requirements() -> Path:
    """An ext4 image of our locked requirements, as the root's Python wants them; raises ImageError."""
    lines = (line.split("#")[0].strip() for line in _LOCK.read_text().splitlines())
    wanted = [line for line in lines if line and not line.startswith(_UNUSED)]
    folder = cache_folder() / f"requirements-{_key(ROOT_PYTHON, wanted)}"
    with building(folder) as needed:
        if needed:
            _install(folder, wanted)
    return folder / "requirements.ext4"


def busybox() -> bytes:
    """A statically linked busybox, as the root file system has it."""
    return (root().parent / "busybox").read_bytes()


def _download_kernel(series: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        room = Path(name)
        package = _fetch_kernel_package(KERNELS[series], room)
        run_command("dpkg-deb", "-x", str(package), str(room / "unpacked"))
        (image,) = (room / "unpacked" / "boot").glob("vmlinuz-*")
        shutil.copy(image, folder / "vmlinuz")
        (modules,) = (path for path in room.glob("unpacked/**/kernel") if path.parent.parent.name == "modules")
        (folder / "initramfs").write_bytes(initramfs.build(busybox(), modules))


def _fetch_kernel_package(release: str, room: Path) -> Path:
    """The newest stock kernel of a release."""
    archive = Archive(release, room)
    described = archive.run("apt-cache", "show", "linux-image-amd64")
    names = re.findall(r"^Depends: (linux-image-\S+)", described, re.M)
    if not names:
        raise ImageError(f"the archive has no stock kernel of {release}")
    archive.run("apt-get", "-q", "download", names[0])
    (package,) = room.glob("linux-image-*.deb")
    return package


def _bootstrap(folder: Path) -> None:
    if os.geteuid() != 0:
        raise ImageError("the guests' root file system is built by debootstrap, which needs root")
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        tree = Path(name) / "root"
        include = ",".join(_PACKAGES)
        try:
            words = ["--variant=minbase", f"--include={include}", _ROOT_RELEASE, str(tree), archive_address()]
            run_command("debootstrap", *words, seconds=900)
        finally:  # it mounts this, and leaves it when it fails
            subprocess.run(["umount", "--quiet", "--lazy", tree / "proc"], check=False)
        command = tree / "usr/local/bin/inspector"
        command.write_text('#!/bin/sh\nexec python3 -m inspector "$@"\n')
        command.chmod(0o755)
        run_command("chroot", str(tree), "python3", "-m", "compileall", "-q", f"/usr/lib/python{ROOT_PYTHON}")
        shutil.copy(tree / "bin/busybox", folder / "busybox")
        shutil.rmtree(tree / "var/cache/apt/archives")
        shutil.rmtree(tree / "var/lib/apt/lists")
        run_command("mkfs.ext4", "-q", "-O", "^has_journal", "-d", str(tree), str(folder / "root.ext4"), _IMAGE_SIZE)


def _install(folder: Path, wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as target:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        platforms = [f"--platform={one}_x86_64" for one in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
        pip += [*platforms, f"--python-version={ROOT_PYTHON}", "--only-binary=:all:", "--target", target]
        run_command(*pip, *wanted)
        image = folder / "requirements.ext4"
        run_command("mkfs.ext4", "-q", "-O", "^has_journal", "-d", target, str(image), _IMAGE_SIZE)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
