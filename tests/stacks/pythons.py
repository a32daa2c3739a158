"""The interpreters of this machine that the tests may run: one of each version from 3.10 on."""

import os
import subprocess
from functools import cache
from pathlib import Path

_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
_ASK = "import sys, sysconfig; print(*sys.version_info[:2], sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"


@cache
def pythons() -> dict[tuple[int, int], str]:
    """Path by version."""
    found: dict[tuple[int, int], str] = {}
    for path in (*_PYENV.glob("versions/3.*/bin/python3"), *Path("/usr/bin").glob("python3.1[0-9]")):
        done = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            major, minor, free = map(int, done.stdout.split())
            if (major, minor) >= (3, 10) and not free:
                found.setdefault((major, minor), str(path))
    return found
