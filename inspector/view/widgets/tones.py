"""How a tone looks: a text's meaning and the parts of a list as styles, from the theme.

Textual would have a component class for each, and would style every one of them in every widget before the first paint.
"""

from functools import cache

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from inspector.view.tables.row import Tone
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
    """Sixteen colours, or none: attributes say what colours cannot."""
    colours = {name: _colour(value) for name, value in theme.variables.items() if value.startswith("ansi_")}
    tones = {tone: Style.from_color(colours[token]) for tone, token in TOKENS.items()}
    return tones | {
        "quiet": tones["quiet"] + Style(dim=True),
        "head": tones["head"] + Style(dim=True),
        "strong": tones["strong"] + Style(bold=True),
        "here": Style(reverse=True, bold=True),
        "cursor": Style(reverse=True),
        "cursor-away": Style(bold=True),
        "title": Style(underline=True),
        "match": Style(reverse=True),
    }
