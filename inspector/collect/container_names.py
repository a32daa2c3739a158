"""Names of a container beside its id, as the files of docker, podman, containerd and CRI-O tell them.

No runtime is asked: its socket gives rights that looking does not take. The files belong to root, or to the user that
looks (podman without root).
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

_T = TypeVar("_T")
_MOST_BYTES = 8 << 20
_TASKS = "run/containerd/io.containerd.runtime.v2.task"
_STORES = ("var/lib/containers/storage", "run/containers/storage")
_ANNOTATIONS = (
    "io.kubernetes.cri.container-name", "io.kubernetes.cri.sandbox-name", "io.kubernetes.container.name",
    "io.kubernetes.pod.name", "nerdctl/name",
)  # fmt: skip
"""Of containerd's CRI plugin, of CRI-O, of nerdctl."""


class _Docker(msgspec.Struct):
    """config.v2.json of docker."""

    name: str = msgspec.field(name="Name", default="")


class _Stored(msgspec.Struct):
    """One entry of containers.json of podman and CRI-O."""

    id: str
    names: list[str] = []


class _Bundle(msgspec.Struct):
    """config.json of the OCI runtime specification."""

    annotations: dict[str, str] = {}


def names_of(container: str, root: Path = Path("/"), home: Path | None = None) -> frozenset[str]:
    """Its own name and, in Kubernetes, that of its pod; empty when nobody here tells one, or they may not be read."""
    return frozenset(name for name in _names(container, root, home or Path.home()) if name)


def _names(container: str, root: Path, home: Path) -> Iterator[str]:
    docker = _read(root / "var/lib/docker/containers" / container / "config.v2.json", _Docker)
    if docker is not None:
        yield docker.name.removeprefix("/")
    for store in (*(root / each for each in _STORES), home / ".local/share/containers/storage"):
        for stored in _read(store / "overlay-containers/containers.json", list[_Stored]) or ():
            if stored.id == container:
                yield from stored.names
    for bundle in (*_folders(root / _TASKS), root / _STORES[1] / "overlay-containers"):
        for place in (bundle / container / "config.json", bundle / container / "userdata/config.json"):
            found = _read(place, _Bundle)
            if found is not None:
                yield from (found.annotations.get(key, "") for key in _ANNOTATIONS)


def _folders(path: Path) -> list[Path]:
    """One for each name space of containerd."""
    try:
        return list(path.iterdir())
    except OSError:
        return []


def _read(path: Path, kind: type[_T]) -> _T | None:
    """Only a regular file of root or of our own: whoever else may have laid it there is not believed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
            return None
        try:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=kind)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
