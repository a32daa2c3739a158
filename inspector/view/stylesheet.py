"""Where the stylesheets lie: beside the package in a checkout, inside it when installed."""

from pathlib import Path

MAIN = "inspector.tcss"
"""The main screen."""
OVER = "over.tcss"
"""The screens over it: lists, the picker, a prompt."""
_PACKAGE = Path(__file__).parent.parent


def stylesheet(name: str = MAIN) -> Path:
    """The path of a stylesheet; FileNotFoundError when the installation is broken."""
    for folder in (_PACKAGE / "styles", _PACKAGE.parent / "styles"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is missing: install shim-inspector again")
