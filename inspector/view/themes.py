"""Our own looks: dark, light, and one that keeps the terminal's sixteen colours."""

from textual.theme import Theme

from .terminal import has_true_colour, wants_no_colour

DARK = Theme(
    name="inspector-dark",
    primary="#7aa8e8",
    secondary="#6c7a91",
    accent="#7aa8e8",
    foreground="#c9d1dc",
    background="#12161d",
    surface="#12161d",
    panel="#1a202a",
    success="#86bf7a",
    warning="#d9b15f",
    error="#e5736b",
    dark=True,
    variables={
        "state-yes": "#86bf7a",
        "state-no": "#ee7d74",
        "state-unknown": "#d9b15f",
        "text-quiet": "#748196",
        "text-strong": "#f0f4fa",
        "text-name": "#8cb8f0",
        "line-cursor": "#2b3a52",
        "line-cursor-away": "#1f2733",
        "line-title": "#181e27",
        "match-text": "#12161d",
        "match-back": "#d9b15f",
        "footer-key-foreground": "#8cb8f0",
        "input-cursor-background": "#c9d1dc",
    },
)

LIGHT = Theme(
    name="inspector-light",
    primary="#2459a6",
    secondary="#68707c",
    accent="#2459a6",
    foreground="#2a3038",
    background="#fbfaf7",
    surface="#fbfaf7",
    panel="#f0eee8",
    success="#2c7a3d",
    warning="#8a6200",
    error="#b3261e",
    dark=False,
    variables={
        "state-yes": "#2c7a3d",
        "state-no": "#b3261e",
        "state-unknown": "#8a6200",
        "text-quiet": "#7b818a",
        "text-strong": "#0d1116",
        "text-name": "#2459a6",
        "line-cursor": "#cfdef5",
        "line-cursor-away": "#e9e7e0",
        "line-title": "#f0eee8",
        "match-text": "#2a3038",
        "match-back": "#f3d27a",
        "input-cursor-background": "#2a3038",
    },
)

ANSI = Theme(
    name="inspector-ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    dark=True,
    variables={
        "state-yes": "ansi_green",
        "state-no": "ansi_red",
        "state-unknown": "ansi_yellow",
        "text-quiet": "ansi_default",
        "text-strong": "ansi_default",
        "text-name": "ansi_cyan",
        "line-cursor": "ansi_default",
        "line-cursor-away": "ansi_default",
        "line-title": "ansi_default",
        "match-text": "ansi_black",
        "match-back": "ansi_yellow",
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_bright_blue",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_bright_blue",
        "screen-selection-foreground": "ansi_black",
    },
)

THEMES = (DARK, LIGHT, ANSI)


def first_theme(chosen: str = "") -> str:
    """The theme to begin with: the chosen one, but our colours only where the terminal says that it can show them."""
    return chosen or DARK.name if has_true_colour() and not wants_no_colour() else ANSI.name
