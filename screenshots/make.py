"""The pictures of the README: recorded demo cases on the real screen, with real keys, the same bytes at each run.

`make screenshots` writes them. The recordings are those that the package carries (`make recordings`).
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from inspector.demo.cases import find
from inspector.demo.record import recording_of
from inspector.stream.recording import Recording
from inspector.view.screenshots import photograph

HERE = Path(__file__).parent
_NEEDLESS = re.compile(
    r"terminal-\d+-|<clipPath id=\"[^\"]*line-\d+\">.*?</clipPath>\s*| clip-path=\"url\(#[^)]*line-\d+\)\"", re.S
)
"""A prefix for several pictures in one page, and a clip for each line that no line exceeds."""


_GROUND = re.compile(
    r'\s*<rect fill="([^"]+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    r' shape-rendering="crispEdges"/>'
)


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
    return _joined(_NEEDLESS.sub("", taken.svg)).replace("&#160;", "\N{NO-BREAK SPACE}")


def _joined(svg: str) -> str:
    """The picture with neighbouring grounds of one colour as one rectangle."""
    rows: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for fill, left, y, width, height in _GROUND.findall(svg):
        row, begin = rows.setdefault((y, height, fill), []), float(left)
        if row and abs(row[-1][1] - begin) < 0.1:
            begin = row.pop()[0]
        row.append((begin, float(left) + float(width)))
    made = "".join(
        f'\n<rect fill="{fill}" x="{begin:g}" y="{y}" width="{end - begin:g}" height="{height}"/>'
        for (y, height, fill), row in rows.items()
        for begin, end in row
    )
    first = _GROUND.search(svg)
    assert first is not None
    grounds = f'<g shape-rendering="crispEdges">{made}</g>'
    return _GROUND.sub("", svg[: first.start()] + grounds + svg[first.start() :])


def main() -> None:
    """Write all pictures."""
    os.environ.update({"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"})
    time.tzset()
    for picture in PICTURES:
        path = HERE / f"{picture.name}.svg"
        path.write_text(draw(picture) + "\n", encoding="utf-8")
        print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
