"""The only file that touches Textual's private parts: the screen as plain text."""

from typing import Any

from textual.app import App


def plain_text(app: App[Any]) -> str:
    """The visible screen as lines of text, without colours."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"
