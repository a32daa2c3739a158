"""The pictures of the README: recorded demo cases on the real screen, with real keys, the same at each run.

`make screenshots` writes them. The recordings are those that the package carries (`make recordings`).
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from inspector.demo.cases import find
from inspector.demo.record import recording_of
from inspector.stream.recording import Recording
from inspector.view.app import InspectorApp
from inspector.view.feed import Replay

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Picture:
    """One picture: a case, the size of the terminal, and the keys that lead to what it shows."""

    name: str
    case: str
    size: tuple[int, int] = (150, 44)
    keys: tuple[str, ...] = ()
    theme: str = "inspector-dark"


PICTURES = (
    Picture("the-question", "the-question"),
    Picture("the-proof", "the-question", keys=("a",)),
    Picture("small-terminal", "the-question", size=(80, 24)),
    Picture("timeline", "the-question", keys=("4", "z")),
    Picture("libraries", "replaced-library", keys=("2",)),
    Picture("symbols", "symbol-missing", keys=("3",)),
    Picture("no-device", "no-device", keys=("6",)),
    Picture("healthy", "healthy", keys=("6",)),
    Picture("logs", "healthy", keys=("5",), theme="inspector-light"),
)


async def draw(picture: Picture) -> str:
    """The picture as SVG."""
    case = find(picture.case)
    assert case is not None, picture.case
    app = InspectorApp(Replay(Recording(str(recording_of(case)))))
    app.theme = picture.theme
    async with app.run_test(size=picture.size) as pilot:
        for _ in range(500):
            await pilot.pause(0.02)
            if app.session is not None and app.session.inbox.ended and app.session.answer is not None:
                break
        await pilot.pause(0.6)
        await pilot.press(*picture.keys)
        await pilot.pause(0.4)
        return app.export_screenshot(title=f"inspector - {picture.name}")


def main() -> None:
    """Write all pictures."""
    os.environ.update({"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"})
    for picture in PICTURES:
        path = HERE / f"{picture.name}.svg"
        path.write_text(asyncio.run(draw(picture)) + "\n")
        print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
