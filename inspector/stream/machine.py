"""Events about what surrounds the processes: units, preload files, devices."""

from .base import Event, Fact


class UnitSetting(Fact, frozen=True, kw_only=True):
    """One Environment= assignment with its place."""

    key: str
    value: str
    path: str
    line: int


class UnitRead(Event, frozen=True, kw_only=True):
    """A systemd unit as its files say and as it is in force."""

    unit: str
    files: "list[UnitFile]"
    settings: list[UnitSetting] = []
    """All Environment= assignments in reading order; the last one of a key wins."""
    in_force: dict[str, str] | None = None
    """What `systemctl show -p Environment` says; None when systemd does not answer."""
    main_pid: int = 0
    started: int = 0
    """Wall ns of ActiveEnterTimestamp, 0 unknown."""
    needs_reload: bool | None = None
    stderr: str = ""
    """StandardError=."""
    sandbox: list[str] = []
    """Directives that make the unit see another machine: PrivateTmp=yes, ProtectSystem=strict, ..."""
    trouble: list[str] = []
    """Damage found while parsing: unbalanced quotes, duplicate keys."""


class UnitFile(Fact, frozen=True, kw_only=True):
    """A unit file or drop-in."""

    path: str
    mtime: int


class PreloadFileRead(Event, frozen=True, kw_only=True):
    """Content of /etc/ld.so.preload as a process sees it; empty `entries` and no problem means no file."""

    path: str
    entries: list[str]
    mtime: int = 0
    carriers: int = 0
    """How many processes of the machine map one of its entries."""
    carrier_names: list[str] = []
    problem: str = ""


class DeviceNode(Fact, frozen=True, kw_only=True):
    """A device file that GPU programs open."""

    path: str
    present: bool
    mode: str = ""
    owner: str = ""


class GpuRead(Event, frozen=True, kw_only=True):
    """What the machine itself knows about GPUs: device files, kernel modules, PCI display devices."""

    devices: list[DeviceNode] = []
    modules: list[str] = []
    driver: str = ""
    """First line of /proc/driver/nvidia/version."""
    pci: list[str] = []
    """`0000:00:05.0 10de:2331 class 030200`."""


class FileChanged(Event, frozen=True, kw_only=True):
    """A watched file on disk changed: library, link, unit, preload file, ld.so.cache."""

    path: str
    what: str
    """`replaced`, `modified`, `deleted`, `created`."""
