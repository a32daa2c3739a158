"""What may be set in the configuration file: theme, layout, keys, and of each list its columns, order, wrapping."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from inspector.stream.lazy_pattern import lazy

from .config_file import line_of, text_of
from .keys import LIST, MAIN, key_name
from .tables import libraries, logs, processes, symbols, timeline
from .tables.row import Column
from .themes import THEMES

COLUMNS: Mapping[str, Sequence[Column]] = {
    "processes": processes.COLUMNS,
    "libraries": libraries.COLUMNS,
    "symbols": symbols.COLUMNS,
    "timeline": timeline.COLUMNS,
    "logs": logs.COLUMNS,
}
"""Sections about lists, with the columns that there are."""
LAYOUT = ("zoom",)
OF_A_LIST = ("columns", "sort", "descending", "wrap")
_KEY = lazy(r"(?:(?:ctrl|shift|alt)\+)*(?:[a-z_]{2,}|f\d{1,2}|\S)")


class ListConfig(Struct):
    """The settings of one list."""

    columns: tuple[str, ...] = ()
    sort: str = ""
    descending: bool = False
    wrap: bool = False


class Config(Struct):
    """All settings; what is not set keeps its default."""

    theme: str = ""
    zoom: bool = False
    keys: dict[str, str] = {}
    lists: dict[str, ListConfig] = {}
    problems: list[str] = []
    """What could not be used, each with its line, in words for the user."""

    @property
    def first_problem(self) -> str:
        """The first of them, how many more there are, and how to go on; empty where all is well."""
        more = f" ({len(self.problems) - 1} more)" if self.problems[1:] else ""
        return f"{self.problems[0]}{more}; Esc goes on" if self.problems else ""


def read(path: Path) -> Config:
    """The settings of a file; whatever is wrong with it is told in `problems`, and the rest is used."""
    config = Config()
    try:
        text = text_of(path)
        found = parsed(text) if text is not None else {}
    except OSError as error:
        config.problems.append(str(error))
        return config
    except ValueError as error:
        config.problems.append(f"{path} is not valid TOML: {error}")
        return config
    if text is not None:
        _Check(path, text, config).take(found)
    return config


def parsed(text: str) -> dict[str, object]:
    """The TOML; ValueError says where it is none. Imported here: without a file nobody pays for the parser."""
    import msgspec.toml

    found: object = msgspec.toml.decode(text)
    assert isinstance(found, dict)
    return found


class _Check:
    """Takes settings over one by one, and says of each that cannot be used where it stands and what may stand there."""

    def __init__(self, path: Path, text: str, config: Config) -> None:
        self._path, self._text, self._config = path, text, config

    def take(self, found: Mapping[str, object]) -> None:
        """All sections."""
        for name, value in found.items():
            if isinstance(value, dict):
                self._section(name, value)
            elif name != "theme":
                self._wrong("", name, f"there is no setting {name!r}; there are theme and sections")
            elif value not in (themes := [one.name for one in THEMES]):
                self._wrong("", name, f"there is no theme {value!r}; there are {', '.join(themes)}")
            else:
                self._config.theme = str(value)

    def _section(self, name: str, values: Mapping[str, object]) -> None:
        take: Callable[[str, str, object], None]
        if name == "keys":
            values, take = _flat(values), self._key
        elif name == "layout":
            take = self._layout
        elif name in COLUMNS:
            take = self._list
        else:
            known = ", ".join(("keys", "layout", *COLUMNS))
            self._wrong(name, "", f"there is no section {name!r}; there are {known}")
            return
        for key, value in values.items():
            take(name, key, value)
        if name == "keys":
            self._clashes()

    def _layout(self, section: str, key: str, value: object) -> None:
        if key not in LAYOUT:
            self._wrong(section, key, f"there is no setting {key!r}; there is {', '.join(LAYOUT)}")
        elif not isinstance(value, bool):
            self._wrong(section, key, f"{key} is true or false")
        else:
            self._config.zoom = value

    def _key(self, section: str, key: str, value: object) -> None:
        ids = [one.id or "" for one in (*LIST, *MAIN)]
        keys = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
        if key not in ids:
            self._wrong(section, key, f"there is no command {key!r}; ? in the program shows the ids")
        elif not keys or not all(_KEY().fullmatch(one) for one in keys):
            self._wrong(section, key, f"{value!r} is not a key: write x, X, ?, f5, ctrl+x, or several with commas")
        else:
            self._config.keys[key] = ",".join(keys)

    def _clashes(self) -> None:
        """Two commands on one key: the one that was set in the file keeps it."""
        holders: dict[str, str] = {}
        for one in (*LIST, *MAIN):
            name = one.id or ""
            for key in key_name(self._config.keys.get(name, one.key)).split():
                other = holders.setdefault(key, name)
                blamed = name if name in self._config.keys else other
                if other != name and blamed in self._config.keys:
                    self._wrong(
                        "keys", blamed, f"{key} is the key of both {other!r} and {name!r}: give one another key"
                    )

    def _list(self, section: str, key: str, value: object) -> None:
        titles = [one.title for one in COLUMNS[section]]
        kept = self._config.lists.setdefault(section, ListConfig())
        if key not in OF_A_LIST:
            self._wrong(section, key, f"there is no setting {key!r}; there are {', '.join(OF_A_LIST)}")
        elif key == "columns":
            if isinstance(value, list) and value and all(one in titles for one in value):
                kept.columns = tuple(value)
            else:
                self._wrong(section, key, f"columns is a list of some of {', '.join(titles)}")
        elif key == "sort":
            if value in titles:
                kept.sort = str(value)
            else:
                self._wrong(section, key, f"there is no column {value!r}; there are {', '.join(titles)}")
        elif not isinstance(value, bool):
            self._wrong(section, key, f"{key} is true or false")
        elif key == "wrap":
            kept.wrap = value
        else:
            kept.descending = value

    def _wrong(self, section: str, key: str, words: str) -> None:
        line = line_of(self._text, section, key)
        where = f"{self._path}, line {line}" if line else str(self._path)
        self._config.problems.append(f"{where}: {words}")


def _flat(values: Mapping[str, object], before: str = "") -> dict[str, object]:
    """Ids hold dots, which TOML reads as tables unless they are quoted."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        name = f"{before}{key}"
        flat.update(_flat(value, f"{name}.") if isinstance(value, dict) else {name: value})
    return flat
