"""The settings of this run: applied from the configuration file, and written back, value by value, when they change."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from . import config_file
from .config import COLUMNS, Config, ListConfig, parsed, read
from .config_file import Value, edited, text_of
from .panes.pane import Pane
from .tables.sorting import Sorting

Values = dict[tuple[str, str], Value | None]
"""Section and key -> value; None is what the program does without a file."""


class Settings:
    """What a person set up, and where it is kept."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` names the file; None: nothing is read and nothing kept."""
        self.path = path
        self.config = read(path) if path is not None else Config()
        self._kept: Values = {}

    def read_again(self) -> None:
        """Before another observation begins: what was changed in the one before is meant for it too."""
        if self.path is not None and self._kept:
            self.config = read(self.path)

    def apply(self, panes: Sequence[Pane]) -> None:
        """Arrange the lists as they were."""
        for pane in panes:
            of = self.config.lists.get(pane.name, ListConfig())
            pane.listing.chosen_columns, pane.listing.wrap = of.columns, of.wrap
            pane.listing.sorting = Sorting(of.sort, of.descending)

    def begin(self, values: Values) -> None:
        """These values are as they were read: only what differs from them is written."""
        self._kept = values

    def keep(self, values: Values) -> str:
        """Write the values that changed; returns why that failed, or nothing."""
        news = {key: value for key, value in values.items() if self._kept.get(key) != value}
        if self.path is None or not news:
            return ""
        self._kept = values
        try:
            text = text_of(self.path) or ""
            for (section, key), value in news.items():
                text = edited(text, section, key, value)
            parsed(text)
            config_file.write(self.path, text)
        except (OSError, ValueError) as error:
            return str(error)
        return ""


def values_of(panes: Sequence[Pane], zoom: bool) -> Values:
    """How lists and layout are set up now."""
    values: Values = {("layout", "zoom"): zoom or None}
    for pane in panes:
        if pane.name not in COLUMNS:
            continue
        listing = pane.listing
        found: Mapping[str, Value | None] = {
            "columns": list(listing.chosen_columns) or None,
            "sort": listing.sorting.title or None,
            "descending": listing.sorting.descending or None,
            "wrap": listing.wrap or None,
        }
        values.update({(pane.name, key): value for key, value in found.items()})
    return values
