"""Which files make up a unit, in the order in which systemd reads them (systemd.unit(5), unit file load path)."""

import os

import msgspec

FOLDERS = (
    "etc/systemd/system.control",
    "run/systemd/system.control",
    "run/systemd/transient",
    "run/systemd/generator.early",
    "etc/systemd/system",
    "etc/systemd/system.attached",
    "run/systemd/system",
    "run/systemd/system.attached",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/generator.late",
)
"""From the highest to the lowest priority."""


class UnitPlaces(msgspec.Struct):
    """The files of one unit."""

    files: list[str] = msgspec.field(default_factory=list)
    """Paths in reading order: the unit file, then its drop-ins by file name."""
    looked: list[str] = msgspec.field(default_factory=list)
    """Every directory that could hold one: a change of these may change `files`."""
    ignored: list[str] = msgspec.field(default_factory=list)
    """Files that lie there without effect, each with the reason."""


def instance_of(unit: str) -> tuple[str, str]:
    """Template name and instance: `a@b.service` is (`a@.service`, `b`); without an instance the name itself and ``."""
    stem, dot, suffix = unit.rpartition(".")
    prefix, at, instance = stem.partition("@")
    return (f"{prefix}@{dot}{suffix}", instance) if at and instance else (unit, "")


def _below(root: str) -> list[str]:
    """All folders, the lowest priority first: of two names for one folder the higher stays."""
    return [os.path.join(root, folder) for folder in reversed(FOLDERS)]


def find_unit(unit: str, root: str = "/") -> UnitPlaces:
    """The unit's file and drop-ins below `root`; no files when systemd would not find the unit."""
    folders = list({os.path.realpath(path): path for path in _below(root)}.values())[::-1]
    places = UnitPlaces(looked=list(folders))
    template, _ = instance_of(unit)
    for name in dict.fromkeys((unit, template)):
        path = next((path for folder in folders if os.path.lexists(path := f"{folder}/{name}")), None)
        if path is not None:
            places.files.append(path)
            break
    names = [unit]
    if places.files:
        alias = os.path.basename(os.path.realpath(places.files[0]))
        if alias.endswith(".service") and alias not in (unit, template):
            names.append(alias)
    _add_drop_ins(places, [f"{folder}/{name}.d" for one in names for folder in folders for name in _relatives(one)])
    return places


def _relatives(unit: str) -> list[str]:
    """Names whose drop-ins apply, nearest first: itself, its template, its dashed prefixes, its type."""
    stem, _, suffix = unit.rpartition(".")
    template, _ = instance_of(unit)
    names = [unit, template]
    prefix = stem
    while "-" in prefix.rstrip("-"):
        prefix = prefix.rstrip("-").rpartition("-")[0] + "-"
        names.append(f"{prefix}.{suffix}")
    return [*dict.fromkeys(names), suffix]


def _add_drop_ins(places: UnitPlaces, folders: list[str]) -> None:
    """All `*.conf`, sorted by file name; of equal names the one in the earlier folder counts."""
    by_name: dict[str, str] = {}
    # Drop-ins of the type (`service.d`) rank below those of any name, in whichever folder they are.
    ranked = sorted(dict.fromkeys(folders), key=lambda folder: "." not in os.path.basename(folder).removesuffix(".d"))
    for folder in ranked:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        places.looked.append(folder)
        for name in sorted(names):
            path = f"{folder}/{name}"
            if not name.endswith(".conf"):
                places.ignored.append(f"{path} is ignored: its name does not end in .conf")
            elif name in by_name:
                places.ignored.append(f"{path} is ignored: {by_name[name]} has the same name and comes first")
            else:
                by_name[name] = path
    places.files += [path for _, path in sorted(by_name.items())]
