"""Pictures of the screen as SVG, compared with those that a person has looked at.

`INSPECTOR_SNAPSHOTS=1 pytest tests/view/test_screenshots.py` makes them anew: look at them before you commit them.
"""

import os
from pathlib import Path

import pytest

from inspector.stream.codec import encode
from inspector.stream.recording import Recording
from inspector.view import header
from inspector.view.screenshots import photograph

from .app_harness import running_app
from .feeds import FakeFeed
from .sample import main_question

FOLDER = Path(__file__).parent / "snapshots"
PICTURES = [
    ("processes-80x24-ansi", (80, 24), "inspector-ansi", ("1", "j")),
    ("libraries-120x36-dark", (120, 36), "inspector-dark", ("2", "j", "j")),
    ("timeline-200x60-light", (200, 60), "inspector-light", ("4", "k", "k", "t", "slash", "c", "a", "l", "l", "enter")),
]


@pytest.mark.parametrize(("name", "size", "theme", "keys"), PICTURES, ids=[name for name, *_ in PICTURES])
async def test_the_screen_looks_as_it_did(
    name: str, size: tuple[int, int], theme: str, keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "since", lambda ns: "0 s ago")  # a picture does not grow older
    async with running_app(FakeFeed(main_question()), monkeypatch, size, theme) as ui:
        await ui.press(*keys)
        ui.app.say("")
        await ui.pilot.pause()
        picture = ui.app.export_screenshot(title=name, simplify=True)
    known = FOLDER / f"{name}.svg"
    if os.environ.get("INSPECTOR_SNAPSHOTS"):
        known.write_text(picture)
    if picture != known.read_text():
        failed = Path.cwd() / f"{name}.svg"
        failed.write_text(picture)
        pytest.fail(f"the screen looks otherwise than {known}: compare it with {failed}")


def test_a_recording_can_be_photographed_without_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "main.jsonl"
    path.write_bytes(b"".join(encode(event) for event in main_question()))
    picture = photograph(Recording(str(path)), size=(100, 30), keys=("4", "k"))
    assert picture.svg.startswith("<svg") and "url(http" not in picture.svg
    assert "recorded" in picture.text and "▸" in picture.text and "WHAT HAPPENED" in picture.text
