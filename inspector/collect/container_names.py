"""Names of a container beside its id, as the files of docker, podman, containerd and CRI-O tell them.

No runtime is asked: its socket gives rights that looking does not take. The files belong to root, or to the user that
looks or that sudo names (podman without root).
"""

import contextlib
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

_T = TypeVar("_T")
_MOST_BYTES = 8 << 20
_CONTAINERDS = ("run/containerd", "run/k3s/containerd", "run/k0s/containerd", "var/snap/microk8s/common/run/containerd")
"""Where containerd keeps its state: Debian's and docker's own, and those of small Kubernetes distributions."""
_TASKS = "io.containerd.runtime.v2.task"
_DOCKERS = ("var/lib/docker", "var/snap/docker/common/var-lib-docker")
_DOCKER_SETTINGS = "etc/docker/daemon.json"
_STORES = ("var/lib/containers/storage", "run/containers/storage")
_OWN_STORE = ".local/share/containers/storage"
_ANNOTATIONS = (
    "io.kubernetes.cri.container-name", "io.kubernetes.cri.sandbox-name", "io.kubernetes.container.name",
    "io.kubernetes.pod.name", "nerdctl/name",
)  # fmt: skip
"""Of containerd's CRI plugin, of CRI-O, of nerdctl."""


class _Docker(msgspec.Struct):
    """config.v2.json of docker."""

    name: str = msgspec.field(name="Name", default="")


class _DockerSettings(msgspec.Struct):
    """daemon.json of docker: its images are large, so many move them to another disk."""

    data_root: str = msgspec.field(name="data-root", default="")


class _Stored(msgspec.Struct):
    """One entry of containers.json of podman and CRI-O."""

    id: str
    names: list[str] = []


class _Bundle(msgspec.Struct):
    """config.json of the OCI runtime specification."""

    annotations: dict[str, str] = {}


def names_of(container: str, root: Path = Path("/"), homes: Iterable[Path] | None = None) -> frozenset[str]:
    """Its own name and, in Kubernetes, that of its pod; empty when nobody here tells one, or they may not be read.

    `homes`: of whom containers without root are looked for.
    """
    found = _names(container, root, _homes() if homes is None else homes)
    return frozenset(name for name in found if name)


def _homes() -> list[Path]:
    homes = [Path.home()]
    for uid in _sudo_users():
        with contextlib.suppress(KeyError):
            homes.append(Path(pwd.getpwuid(uid).pw_dir))
    return homes


def _sudo_users() -> list[int]:
    return [int(uid) for uid in [os.environ.get("SUDO_UID", "")] if uid.isdecimal()]


def _names(container: str, root: Path, homes: Iterable[Path]) -> Iterator[str]:
    moved = _read(root / _DOCKER_SETTINGS, _DockerSettings)
    for folder in (*_DOCKERS, *([moved.data_root.lstrip("/")] if moved is not None else ())):
        docker = _read(root / folder / "containers" / container / "config.v2.json", _Docker)
        if docker is not None:
            yield docker.name.removeprefix("/")
    for store in (*(root / each for each in _STORES), *(home / _OWN_STORE for home in homes)):
        for stored in _read(store / "overlay-containers/containers.json", list[_Stored]) or ():
            if stored.id == container:
                yield from stored.names
    tasks = [folder for each in _CONTAINERDS for folder in _folders(root / each / _TASKS)]
    for bundle in (*tasks, root / _STORES[1] / "overlay-containers"):
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
    """Only a regular file of root, our own or of whom sudo names: who else may have laid it there is not believed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid(), *_sudo_users()):
            return None
        try:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=kind)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
