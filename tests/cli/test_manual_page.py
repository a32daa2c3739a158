"""The manual page that is packaged is the one of these parsers."""

import subprocess
import sys
from pathlib import Path

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def test_the_manual_page_is_that_of_the_parsers() -> None:
    made = subprocess.run([sys.executable, str(PACKAGING / "manual_page.py")], capture_output=True, check=True)
    packaged = (PACKAGING / "inspector.1").read_bytes()
    assert made.stdout == packaged, "make it anew: .venv/bin/python packaging/manual_page.py > packaging/inspector.1"
