"""What the path of a control group tells: the systemd service and the container of a process (cgroups(7))."""

import re

_CONTAINER = re.compile(
    r"(?:^|[/:-])(?:docker|libpod|crio|cri-containerd|containerd|buildkit)[-/:]?([0-9a-f]{12,64})\b"
)
"""`docker-ID.scope`, `/docker/ID`, `libpod-ID.scope`, `crio-ID.scope`, `cri-containerd:ID`."""
_BARE_ID = re.compile(r"/([0-9a-f]{64})(?:[/.]|$)")
"""`/kubepods/burstable/podUID/ID`: the runtime names no one but itself there."""
_NAMED = re.compile(r"/(?:lxc\.payload\.|lxc/|machine-)([^/]+?)(?:\.scope)?(?:/|$)")
"""`/lxc.payload.NAME`, `/lxc/NAME`, `machine-NAME.scope` of systemd-nspawn."""


def unit_of(path: str) -> str | None:
    """The innermost systemd service: `/system.slice/ollama.service/x` is in `ollama.service`."""
    services = [part for part in path.split("/") if part.endswith(".service")]
    return services[-1] if services else None


def container_of(path: str) -> str | None:
    """The id (docker, podman, kubernetes, containerd) or name (lxc, nspawn) of the container; None outside of one."""
    for pattern in (_CONTAINER, _BARE_ID, _NAMED):
        found = pattern.search(path)
        if found:
            return found.group(1)
    return None
