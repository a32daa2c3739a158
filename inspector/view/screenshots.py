"""Pictures of the screen without a terminal: for a README, from recordings, the same each time."""

import asyncio
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from textual.pilot import Pilot

from inspector.model.profiles import Profiles
from inspector.stream.recording import Recording

from .app import InspectorApp
from .exports import without_fonts
from .feed import Replay
from .output import plain_text
from .session import Session

PATIENCE = 60.0
"""Seconds that a recording may take to be read."""


class Picture(NamedTuple):
    """One screen as SVG and as plain text."""

    svg: str
    text: str


def photograph(
    recording: Recording,
    *,
    size: tuple[int, int] = (120, 36),
    keys: Sequence[str] = (),
    theme: str = "inspector-dark",
    title: str = "inspector",
    profiles: Profiles | None = None,
) -> Picture:
    """The screen at the end of a recording after some keys (`"4"`, `"j"`, `"slash"`, as Textual names them).

    Raises TimeoutError when the recording cannot be read to its end.
    """
    return asyncio.run(_photograph(recording, size, keys, theme, title, profiles))


async def _photograph(
    recording: Recording,
    size: tuple[int, int],
    keys: Sequence[str],
    theme: str,
    title: str,
    profiles: Profiles | None,
) -> Picture:
    app = InspectorApp(Replay(recording), profiles=profiles)
    app.theme = theme
    async with app.run_test(size=size) as pilot:
        session = await asyncio.wait_for(_answered(app, pilot), PATIENCE)
        session.diagnose(inf)  # the last answer, and not one of those on the way, however busy the machine is
        app.on_inspector_app_woken()
        await pilot.pause(0.3)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        app.say("")
        await pilot.pause(0.2)
        return Picture(without_fonts(app.export_screenshot(title=title, simplify=True)), plain_text(app))


async def _answered(app: InspectorApp, pilot: Pilot[int]) -> Session:
    """The session once it has been read and has its first answer."""
    while app.session is None or app.session.playback is None or app.session.answer is None:
        await pilot.pause(0.05)
    return app.session
