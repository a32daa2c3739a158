"""Arguments and values of variables as they leave the collector: harmless, of bounded length, without secrets."""

from inspector.stream import secrets
from inspector.stream.text import decode

LONGEST = 4096
"""Characters of one argument or value that are sent; what is longer is cut and says so."""
MOST_ARGUMENTS = 1024


def shown_value(key: str, value: str) -> str:
    """The value of an environment variable as it may be shown."""
    return _cut(secrets.shown_value(key, value[: 2 * LONGEST]), len(value))


def shown_arguments(argv: list[bytes]) -> list[str]:
    """An argument list as it may be shown: harmless text, values of secret options replaced."""
    words = [decode(raw[: 2 * LONGEST]) for raw in argv[:MOST_ARGUMENTS]]
    shown = secrets.shown_arguments(words)
    shown = [_cut(text, len(raw)) for text, raw in zip(shown, argv, strict=False)]
    if len(argv) > MOST_ARGUMENTS:
        shown.append(f"... and {len(argv) - MOST_ARGUMENTS} more arguments")
    return shown


def _cut(text: str, length: int) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (cut, {length} characters)"
