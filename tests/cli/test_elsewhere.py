"""A recording gives the same bytes wherever it is read: another host, user, time zone, language, interpreter state."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.demo.record import RECORDINGS
from inspector.report.formats import FORMATS

pytestmark = pytest.mark.longer

CASES = ("call-blocked", "healthy-modern", "no-version-table", "global-preload")
"""With several APIs, libraries and processes each, so that an order by chance would show."""
WRITER = f"""
import contextlib, io, os, sys
from inspector.cli import main
out, *recordings = sys.argv[1:]
for path in recordings:
    for format in {FORMATS}:
        name = f"{{out}}/{{os.path.basename(path)}}.{{format}}"
        code = main(["report", path, "--format", format, "-o", name])
        os.rename(name, f"{{name}}.{{code}}")
with open(f"{{out}}/trace", "w") as file, contextlib.redirect_stdout(file):
    main(["trace", recordings[0]])
with open(f"{{out}}/diff", "w") as file, contextlib.redirect_stdout(file):
    main(["diff", recordings[0], recordings[1]])
"""


def written(folder: Path, python: list[str], environment: dict[str, str]) -> dict[str, bytes]:
    folder.mkdir()
    recordings = [str(RECORDINGS / f"{case}.jsonl.zst") for case in CASES]
    done = subprocess.run(
        [*python, "-c", WRITER, str(folder), *recordings], cwd=folder, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def another_machine() -> list[str]:
    """Words that lead into another host name and other processes, mounts and networks, where that is allowed."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return []
    return ["unshare", "-mpnuf", "--mount-proc", "sh", "-c", 'hostname elsewhere.example && exec "$@"', "sh"]


def test_every_format_is_the_same_on_another_machine_byte_for_byte(tmp_path: Path) -> None:
    here = written(tmp_path / "here", [sys.executable], {**os.environ, "PYTHONHASHSEED": "1"})
    there = written(
        tmp_path / "there",
        [*another_machine(), sys.executable, "-O"],
        {
            "PATH": os.environ["PATH"], "PYTHONHASHSEED": "2", "HOME": "/nonexistent", "LC_ALL": "C",
            "TZ": "Asia/Kolkata", "COLUMNS": "40", "TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1",
        },
    )  # fmt: skip
    assert len(here) == len(CASES) * len(FORMATS) + 2
    assert [name for name in here if here[name] != there.get(name)] == []
    assert here.keys() == there.keys()
