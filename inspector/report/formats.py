"""One report in any of its formats, and written to a file for the screen's export."""

from pathlib import Path
from typing import Literal, get_args

from inspector.model.state import State
from inspector.model.verdict import Answer
from inspector.stream.files import create

from .expectation import Expected
from .schema import Report, to_json

Format = Literal["text", "json", "markdown", "html", "perfetto", "junit", "openmetrics"]
FORMATS: tuple[Format, ...] = get_args(Format)
_ENDINGS: dict[str, Format] = {
    ".txt": "text", ".json": "json", ".md": "markdown", ".html": "html", ".htm": "html", ".trace": "perfetto",
    ".xml": "junit", ".prom": "openmetrics",
}  # fmt: skip


def render(
    report: Report, format: str, *, width: int = 100, colour: bool = False, expected: Expected | None = None
) -> bytes:
    """The report as bytes; `width` and `colour` matter for text only, `expected` for JUnit."""
    match format:
        case "json":
            return to_json(report)
        case "markdown":
            from . import markdown

            return markdown.render(report).encode()
        case "html":
            from . import html

            return html.render(report).encode()
        case "perfetto":
            from . import perfetto

            return perfetto.render(report)
        case "junit":
            from . import junit

            return junit.render(report, expected)
        case "openmetrics":
            from . import openmetrics

            return openmetrics.render(report)
    from . import text

    return text.render(report, width=width, colour=colour).encode()


def format_of(path: str) -> Format:
    """The format that a file's name asks for; text when it asks for none."""
    return _ENDINGS.get(Path(path).suffix.lower(), "text")


def export(state: State, answer: Answer, path: str, format: str | None = None) -> int:
    """Write what is known now to a file with mode 0600; returns its size. OSError says why it cannot be written."""
    from .builder import report

    content = render(report(state, answer), format or format_of(path))
    with create(path) as file:
        file.write(content)
    return len(content)
