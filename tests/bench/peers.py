"""The named peers: where they are, and None where this machine has none of them."""

import compileall
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import inspector

_PACKAGE = Path(inspector.__file__).parent
_ROOM = Path(__file__).parents[2] / ".venv-peers"
_PYTHON_PEERS = ("memray", "py-spy", "toolong")


@cache
def program(name: str) -> str | None:
    """Path of a peer from the system, None when it is not there."""
    return shutil.which(name) or (f"/usr/sbin/{name}" if Path(f"/usr/sbin/{name}").exists() else None)


@cache
def python_program(name: str) -> str | None:
    """Path of a peer from PyPI, installed on first use into a venv of its own (their pins differ from ours)."""
    path = _ROOM / "bin" / name
    if not path.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", _ROOM], check=True, capture_output=True)
            subprocess.run(
                [_ROOM / "bin" / "python", "-m", "pip", "install", "-q", *_PYTHON_PEERS],
                check=True,
                capture_output=True,
            )
        except subprocess.CalledProcessError:
            return None
    return str(path) if path.exists() else None


@cache
def ours() -> str:
    """Path of our own command, with bytecode beside its modules as installers, and the first start, leave it there.

    Where PYTHONDONTWRITEBYTECODE is set, a checkout would otherwise be compiled anew at each start.
    """
    compileall.compile_dir(_PACKAGE, quiet=2)
    command = str(Path(sys.executable).with_name("inspector"))
    writing = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([command, "list"], env=writing, stdout=subprocess.DEVNULL, check=True)
    return command
