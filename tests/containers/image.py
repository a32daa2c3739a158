"""The file tree of a container: the machine's own /usr, read-only, and a program that looks for a driver once."""

import subprocess
from pathlib import Path

PROGRAM = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    if (!dlopen("libcuda.so.1", RTLD_NOW)) fprintf(stderr, "no GPU: %s\n", dlerror());
    for (;;) pause();
}
"""
SHARED = [place for place in ("/usr", "/lib", "/lib64") if Path(place).is_dir() and not Path(place).is_symlink()]
"""What a container gets of the machine, so that its programs find their loader and C library."""


def make(folder: Path) -> Path:
    """The root of the tree; the program in it is /app/asks."""
    root = folder / "root"
    for name in ("app", "proc", "dev", "sys", "tmp", "etc", "run", *SHARED):
        (root / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name in ("lib", "lib64", "bin"):
        if (link := Path("/", name)).is_symlink():
            (root / name).symlink_to(link.readlink())
    source = folder / "asks.c"
    source.write_text(PROGRAM)
    subprocess.run(["cc", "-o", root / "app/asks", source, "-ldl"], check=True)
    return root
