"""The pictures of the README: recorded demo cases on the real screen, with real keys, the same bytes at each run.

`make screenshots` writes them. The recordings are those that the package carries (`make recordings`).
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from inspector.demo.cases import find
from inspector.demo.record import recording_of
from inspector.stream.recording import Recording
from inspector.view.pictures import photograph

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Picture:
    """One picture: a case, the keys that lead to what it shows, and the size of the terminal."""

    name: str
    case: str
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = (120, 36)
    theme: str = "inspector-dark"


PICTURES = (
    Picture("the-question", "the-question", keys=("j", "j")),
    Picture("the-proof", "the-question", keys=("a",)),
    Picture("libraries", "replaced-library", keys=("2",)),
    Picture("symbols", "healthy", keys=("3",)),
    Picture("timeline", "child-crashed", keys=("4", *"kkkkk")),
    Picture("logs", "healthy", keys=("5",)),
    Picture("gpu", "no-device", keys=("6",)),
    Picture("gpu-in-use", "healthy", keys=("6",)),
    Picture("dead-children", "discovery-timeout", keys=("1", "j")),
    Picture("help", "the-question", keys=("question_mark",)),
    Picture("light", "the-question", keys=("j", "j"), theme="inspector-light"),
    Picture("small-terminal", "the-question", size=(80, 24)),
)


def draw(picture: Picture) -> str:
    """The picture as SVG."""
    case = find(picture.case)
    assert case is not None, picture.case
    taken = photograph(
        Recording(str(recording_of(case))),
        size=picture.size,
        keys=picture.keys,
        theme=picture.theme,
        title=f"inspector: {case.name}",
    )
    return taken.svg


def main() -> None:
    """Write all pictures."""
    os.environ.update({"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"})
    time.tzset()
    for picture in PICTURES:
        path = HERE / f"{picture.name}.svg"
        path.write_text(draw(picture) + "\n")
        print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
