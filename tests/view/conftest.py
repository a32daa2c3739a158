"""What every test of the screen needs: one time zone, a folder of its own, a terminal that shows all colours."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def still_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine shows on the screen, and files that are written land in the test's own folder."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.chdir(tmp_path)
