"""Print the manual page, made from the parsers: `python packaging/manual_page.py > packaging/inspector.1`."""

import os
import sys

from argparse_manpage.manpage import Manpage

from inspector import __version__
from inspector.commands.arguments import every_parser


def manual_page() -> str:
    """roff for man(1); the same parsers give the same page on every day and terminal."""
    os.environ |= {"SOURCE_DATE_EPOCH": "0", "COLUMNS": "100"}
    page = Manpage(every_parser(__version__))
    page.manual, page.source = "User Commands", f"shim-inspector {__version__}"
    page.date = ""
    page.description = "why is the process still on the CPU, though a GPU shim is loaded?"
    return str(page)


if __name__ == "__main__":
    sys.stdout.write(manual_page())
