"""Secrets stay where they are: values of keys and options that look secret never leave the collector."""

import re

from inspector.stream.text import decode

HIDDEN = "(hidden)"
LONGEST = 4096
"""Characters of one argument or value that are sent; what is longer is cut and says so."""
MOST_ARGUMENTS = 1024

_SECRET_KEY = re.compile(r"KEY|TOKEN|PASS|SECRET|AUTH|COOKIE|CREDENTIAL", re.IGNORECASE)
_NAME = (
    r"(?:[\w.-]*[-_.])?"
    r"(?:api_?key|key|token|pass|passwd|password|passphrase|secret|auth|authorization|cookie|credentials?)"
)
_OPTION = re.compile(rf"^--?{_NAME}$", re.IGNORECASE)
"""An option whose value is the next argument: `--token`, `--hf-token`, `-api_key`."""
_ASSIGNED = re.compile(
    rf"((?:^|[\s\"'&?;,{{(])-{{0,2}}{_NAME}[\"']?\s{{0,9}}[=:]\s{{0,9}}[\"']?)(?:(?:bearer|basic)\s{{1,9}})?[^\s\"'&;,]+",
    re.IGNORECASE,
)
"""`password=X`, `--token=X`, `HF_TOKEN=X` and `Authorization: Bearer X`, also inside a longer text."""
_SPACED = re.compile(rf"((?:^|\s)--?{_NAME}\s{{1,9}}[\"']?)[^\s\"'&;-][^\s\"'&;]*", re.IGNORECASE)
"""`--token X` inside one argument, as in `sh -c "..."`."""
_URL = re.compile(r"(://)[^/\s@]{1,512}@")
_HARMLESS = re.compile(r"^(?:|0|1|true|false|yes|no|on|off)$", re.IGNORECASE)


def shown_value(key: str, value: str) -> str:
    """The value of an environment variable as it may be shown."""
    if _SECRET_KEY.search(key) and not _HARMLESS.match(value):
        return HIDDEN
    return _cut(_URL.sub(rf"\1{HIDDEN}@", value))


def shown_arguments(argv: list[bytes]) -> list[str]:
    """An argument list as it may be shown: harmless text, values of secret options replaced."""
    shown: list[str] = []
    follows_option = False
    for raw in argv[:MOST_ARGUMENTS]:
        text = decode(raw[: LONGEST * 2])
        value_of_option = follows_option and not text.startswith("-")
        shown.append(HIDDEN if value_of_option and not _HARMLESS.match(text) else _cut(_without_secrets(text)))
        follows_option = _OPTION.match(text) is not None
    if len(argv) > MOST_ARGUMENTS:
        shown.append(f"... and {len(argv) - MOST_ARGUMENTS} more arguments")
    return shown


def _without_secrets(text: str) -> str:
    text = _URL.sub(rf"\1{HIDDEN}@", text)
    text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
    return _SPACED.sub(rf"\1{HIDDEN}", text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (cut, {len(text)} characters)"
