"""Where the stylesheet lies: beside the package in a checkout, inside it when installed."""

from pathlib import Path

_NAME = "inspector.tcss"
_PACKAGE = Path(__file__).parent.parent


def stylesheet() -> Path:
    """The path of inspector.tcss; FileNotFoundError when the installation is broken."""
    for folder in (_PACKAGE / "styles", _PACKAGE.parent / "styles"):
        if (folder / _NAME).is_file():
            return folder / _NAME
    raise FileNotFoundError(f"{_NAME} is missing: install shim-inspector again")
