"""The runtimes: each starts a container from a file tree under a name, and tells which control group it chose."""

import json
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from .apart import Apart
from .image import SHARED

_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--pids-limit=-1", "--network=none")
"""Asks for no more than the machine of a test may have itself."""


class Runtime(Protocol):
    """One way to run containers."""

    def start(self, name: str) -> None:
        """Run /app/asks in a container that is called so."""
        ...

    def pid(self) -> int:
        """The container's first process, as the host numbers it."""
        ...

    def stop(self) -> None:
        """Take it away."""
        ...


class Podman:
    """podman with runc."""

    needs = ("podman", "conmon", "runc")

    def __init__(self, apart: Apart, root: Path, folder: Path) -> None:
        self._apart, self._root, self._name = apart, root, ""

    def start(self, name: str) -> None:
        self._name = name
        volumes = [f"--volume={place}:{place}:ro" for place in SHARED]
        self._apart.run("podman", "--runtime=runc", "--cgroup-manager=cgroupfs", "run", "--detach", f"--name={name}",
                        *_LIMITS, *volumes, "--rootfs", self._root, "/app/asks")  # fmt: skip

    def pid(self) -> int:
        return int(self._apart.run("podman", "inspect", "--format={{.State.Pid}}", self._name))

    def stop(self) -> None:
        self._apart.run("podman", "rm", "--force", "--time=0", self._name)


class Docker:
    """docker with its own containerd and runc."""

    needs = ("docker", "dockerd", "containerd", "runc")

    def __init__(self, apart: Apart, root: Path, folder: Path) -> None:
        self._apart, self._root, self._folder, self._name = apart, root, folder, ""
        self._socket = f"unix://{folder}/docker.sock"
        apart.start("dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs",
                    f"--pidfile={folder}/docker.pid", f"--host={self._socket}")  # fmt: skip
        until(lambda: self._docker("version"))

    def start(self, name: str) -> None:
        self._name = name
        self._apart.run("tar", "-C", self._root, "-cf", self._folder / "image.tar", ".")
        self._docker("import", str(self._folder / "image.tar"), "small")
        volumes = [f"--volume={place}:{place}:ro" for place in SHARED]
        self._docker("run", "--detach", f"--name={name}", *_LIMITS, *volumes, "small", "/app/asks")

    def pid(self) -> int:
        return int(self._docker("inspect", "--format={{.State.Pid}}", self._name))

    def stop(self) -> None:
        self._docker("rm", "--force", self._name)

    def _docker(self, *words: str) -> str:
        return self._apart.run("docker", f"--host={self._socket}", *words)


class Containerd:
    """containerd with runc, given what the kubelet gives it: an id, annotations, a control group by pod."""

    needs = ("containerd", "ctr", "runc")

    def __init__(self, apart: Apart, root: Path, folder: Path) -> None:
        self._apart, self._root, self._folder = apart, root, folder
        self._id = secrets.token_hex(32)
        settings = folder / "containerd.toml"
        settings.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        apart.start("containerd", "--config", settings)
        until(lambda: self._ctr("version"))

    def start(self, name: str) -> None:
        bundle = self._folder / "bundle.json"
        bundle.write_text(json.dumps(self._bundle(name)))
        self._ctr("run", "--detach", "--config", str(bundle), self._id)

    def pid(self) -> int:
        lines = self._ctr("task", "list").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(self._id))

    def stop(self) -> None:
        self._ctr("task", "delete", "--force", self._id)
        self._ctr("container", "delete", self._id)

    def _ctr(self, *words: str) -> str:
        return self._apart.run("ctr", "--namespace=k8s.io", *words)

    def _bundle(self, name: str) -> dict[str, object]:
        mounts: list[dict[str, object]] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
        mounts += [{"destination": place, "type": "bind", "source": place, "options": ["rbind", "ro"]}
                   for place in SHARED]  # fmt: skip
        process = {"args": ["/app/asks"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
        return {
            "ociVersion": "1.0.2",
            "process": process,
            "root": {"path": str(self._root)},
            "mounts": mounts,
            "annotations": {"io.kubernetes.cri.container-name": name, "io.kubernetes.cri.sandbox-name": f"{name}-7d9c"},
            "linux": {
                "cgroupsPath": f"/kubepods/besteffort/pod{secrets.token_hex(8)}/{self._id}",
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
            },
        }


RUNTIMES: list[type[Podman] | type[Docker] | type[Containerd]] = [Podman, Docker, Containerd]


def missing(runtime: type[Podman] | type[Docker] | type[Containerd]) -> list[str]:
    """Commands that it needs and that are not here."""
    return [name for name in runtime.needs if shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/sbin") is None]


def until(attempt: Callable[[], str], seconds: float = 60) -> None:
    """Return when it no longer fails; the last failure after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        try:
            attempt()
            return
        except RuntimeError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)
