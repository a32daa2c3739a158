"""A whole observation, attacked by the process under observation."""

import json
import os
import subprocess
import sys
from pathlib import Path

from .conftest import Stranger, needs_root

_SWAPS = (
    "log = open({log!r}, 'a', buffering=1); os.dup2(log.fileno(), 1); print('begun')\n"
    "def swap():\n"
    "    while True:\n"
    "        for lead in (True, False):\n"
    "            try: os.unlink({log!r})\n"
    "            except OSError: pass\n"
    "            if lead: os.symlink({secret!r}, {log!r})\n"
    "            else:\n"
    "                with open({log!r}, 'w') as file: file.write('mine\\n')\n"
    "            time.sleep(0.02)\n"
    "threading.Thread(target=swap, daemon=True).start()\n"
    "os.write(2, b'up\\n'); os.dup2(2, 1)\n"
)


@needs_root
def test_a_log_that_is_swapped_for_a_link_to_a_file_of_root_is_never_read(home: Path, secret: Path) -> None:
    log = home / "x.log"
    who = Stranger(program="os.dup2(1, 2);" + _exec(_SWAPS.format(log=str(log), secret=str(secret))))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "inspector", "report", str(who.pid), "--for", "3s", "--format", "json",
             "--log", str(log)],
            capture_output=True, timeout=60,
        )  # fmt: skip
    finally:
        who.end()
    assert b"only root may read" not in done.stdout, done.stderr
    assert done.stdout, done.stderr
    logs = json.loads(done.stdout)["logs"]
    assert any(each["name"] == os.fspath(log) for each in logs), logs


def _exec(source: str) -> str:
    """A program of several lines as one statement."""
    return f"exec({source!r});"
