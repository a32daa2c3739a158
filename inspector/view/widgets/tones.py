"""How a tone looks: a text's meaning and the parts of a list as styles, from the theme.

Textual would have a component class for each, and would style every one of them in every widget before the first paint.
"""

from functools import cache

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from inspector.view.tables.row import Tone
from inspector.view.terminal import wants_no_colour
from inspector.view.themes import THEMES

from .styled_text import ToneStyles

TOKENS: dict[Tone, str] = {
    "quiet": "text-quiet",
    "head": "text-quiet",
    "strong": "text-strong",
    "yes": "state-yes",
    "no": "state-no",
    "unknown": "state-unknown",
    "name": "text-name",
}
"""Variables of a theme with the colours of tones."""


@cache
def tone_styles(name: str) -> ToneStyles:
    """Tone or part of a list -> what the theme of this name adds to the style of the widget that it stands in."""
    if wants_no_colour():
        return _without_colour()
    theme = next(one for one in THEMES if one.name == name)
    return _ansi(theme) if theme.ansi else _full(theme)


def _colour(token: str) -> Color:
    """A colour of a theme: `#rrggbb`, or `ansi_` and the name of one of the terminal's own."""
    return Color.parse(token.removeprefix("ansi_"))


def _full(theme: Theme) -> ToneStyles:
    colours = {name: _colour(value) for name, value in theme.variables.items() if value.startswith("#")}
    tones = {tone: Style.from_color(colours[token]) for tone, token in TOKENS.items()}
    background = _colour(theme.background or "default")
    return tones | {
        "strong": tones["strong"] + Style(bold=True),
        "here": Style.from_color(background, _colour(theme.primary)) + Style(bold=True),
        "cursor": Style.from_color(None, colours["line-cursor"]),
        "cursor-away": Style.from_color(None, colours["line-cursor-away"]),
        "title": Style.from_color(None, colours["line-title"]),
        "match": Style.from_color(colours["match-text"], colours["match-back"]),
    }


def _ansi(theme: Theme) -> ToneStyles:
    """The terminal's own sixteen colours: attributes say what they cannot; what is chosen is white on blue anywhere."""
    colours = {name: _colour(value) for name, value in theme.variables.items() if value.startswith("ansi_")}
    tones = {tone: Style.from_color(colours[token]) for tone, token in TOKENS.items()}
    bold, chosen = Style(bold=True), Style(color="bright_white", bgcolor="blue")
    return tones | {
        "quiet": tones["quiet"] + Style(dim=True),
        "head": tones["head"] + Style(dim=True),
        "strong": tones["strong"] + bold,
        "no": tones["no"] + bold,
        "here": chosen + bold,
        "cursor": chosen,
        "cursor-away": bold,
        "title": Style(underline=True),
        "match": Style(color="black", bgcolor="yellow"),
    }


def _without_colour() -> ToneStyles:
    """NO_COLOR: attributes alone; signs and words say the rest."""
    bold, dim, reverse = Style(bold=True), Style(dim=True), Style(reverse=True)
    return dict.fromkeys(TOKENS, Style()) | {
        "quiet": dim,
        "head": dim,
        "strong": bold,
        "no": bold,
        "here": reverse + bold,
        "cursor": reverse,
        "cursor-away": bold,
        "title": Style(underline=True),
        "match": reverse,
    }
