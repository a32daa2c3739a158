"""Patience for machines that are slower than ours by far: software emulation (SLOWER=10)."""

import pytest

from inspector.demo import observe
from tests.slower import SLOWER


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many times as long until a story must be told, and silence is long before it means that all was read."""
    monkeypatch.setattr(observe, "_PATIENCE", observe._PATIENCE * SLOWER)
    monkeypatch.setattr(observe, "_QUIET", observe._QUIET * max(1, SLOWER / 2))
