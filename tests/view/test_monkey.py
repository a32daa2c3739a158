"""Any keys in any order at any size: the screen lives."""

import random

import pytest

from inspector.view.keys import MAIN

from .app_harness import running_app
from .feeds import BigCollector, FakeFeed
from .sample import main_question

pytestmark = pytest.mark.longer

KEYS = [
    *[binding.key for binding in MAIN if binding.key not in ("q", "P")],
    *"jkgGcu0", "enter", "enter", "escape", "escape", "pagedown", "pageup", "left", "right", "down", "up", "backspace",
]  # fmt: skip
SIZES = [(80, 24), (120, 36), (200, 60), (30, 8), (41, 11)]


@pytest.mark.parametrize("seed", range(2))
async def test_a_monkey_at_the_keys_does_not_break_the_screen(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    feed = FakeFeed(main_question(), recorded=True) if seed % 2 else BigCollector(symbols=2_000, lines=2_000)
    async with running_app(feed, monkeypatch, SIZES[seed % 3]) as ui:
        for _ in range(3):
            for _ in range(15):
                await ui.pilot.press(chance.choice(KEYS))
                assert ui.app.is_running
            await ui.pilot.resize_terminal(*chance.choice(SIZES))
        await ui.pilot.resize_terminal(80, 24)
        for _ in range(8):
            await ui.press("escape")
        await ui.press("1")
        await ui.until_shown("1 Processes")
