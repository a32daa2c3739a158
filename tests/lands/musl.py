"""A user land without glibc: CPython and what it needs built from Debian's sources against musl, and busybox."""

import shutil
import tempfile
from pathlib import Path

from tests.guests.archive import Archive
from tests.guests.build_cache import run_command
from tests.guests.images import busybox

_RELEASE = "bookworm"
_SOURCES = ("zlib", "libffi", "python3.11")
_HEADERS = ("linux", "asm-generic", "x86_64-linux-gnu/asm")
"""Of the kernel, below /usr/include: the compiler for musl leaves all of that folder out."""
_COMPILER = """#!/bin/sh
[ "$*" = --print-multiarch ] && { echo x86_64-linux-musl; exit; }
for word do  # CPython adds folders of the other libc
    shift
    case $word in -I/usr/* | -L/usr/*) ;; *) set -- "$@" "$word" ;; esac
done
exec musl-gcc -w -idirafter "$(dirname "$0")/kernel" "$@"
"""
_BUILD = """
set -eu
room=$PWD libraries=$PWD/libraries
export CC=$room/compiler CPPFLAGS=-I$libraries/include LDFLAGS=-L$libraries/lib MAKEFLAGS=-j$(nproc)
export PKG_CONFIG_PATH=$libraries/lib/pkgconfig
for archive in *.orig.tar.*; do tar xf "$archive"; done
(cd zlib-*/ && CFLAGS=-fPIC ./configure --prefix="$libraries" --static && make && make install)
(cd libffi-*/ && ./configure --prefix="$libraries" --disable-shared --with-pic --disable-docs && make && make install)
cd Python-*/
./configure --prefix=/usr --without-ensurepip --disable-test-modules OPT='-DNDEBUG -O1'
make && make install DESTDIR="$1"
"""


def build(root: Path) -> None:
    """Fill a folder with that user land, in some minutes; raises ImageError."""
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        room = Path(name)
        archive = Archive(_RELEASE, room)
        archive.run("apt-get", "-q", "source", "--download-only", *_SOURCES)
        (room / "kernel").mkdir()
        for header in _HEADERS:
            (room / "kernel" / Path(header).name).symlink_to(Path("/usr/include") / header)
        compiler = room / "compiler"
        compiler.write_text(_COMPILER)
        compiler.chmod(0o755)
        run_command("sh", "-c", _BUILD, "build", str(root), cwd=room, seconds=1800)
    _add_tools(root)
    for leftover in ("include", "share", "lib/libpython3.11.a", "lib/python3.11/test"):
        path = root / "usr" / leftover
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _add_tools(root: Path) -> None:
    """The loader, which is musl's libc too, a shell with its tools, and the folders that every machine has."""
    for folder in ("bin", "lib", "etc", "proc", "sys", "dev", "tmp", "opt", "root"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    shutil.copy("/lib/x86_64-linux-musl/libc.so", root / "lib/ld-musl-x86_64.so.1")
    (root / "lib/libc.musl-x86_64.so.1").symlink_to("ld-musl-x86_64.so.1")
    tool = root / "bin/busybox"
    tool.write_bytes(busybox())
    tool.chmod(0o755)
    run_command("chroot", str(root), "/bin/busybox", "--install", "-s", "/bin")
