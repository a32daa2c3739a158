"""What the path of a control group tells: the systemd service and the container of a process (cgroups(7))."""

import re

_CONTAINER = re.compile(
    r"(?:^|[/:-])(?:docker|libpod|crio|cri-containerd|containerd|nerdctl|buildkit)[-/:]?([0-9a-f]{12,64})\b"
    r"|/([0-9a-f]{64})(?=[/.]|$)"
    r"|/(?:lxc\.payload\.|lxc/|machine-|systemd-nspawn@)([^/]+?)(?:\.scope|\.service)?(?=/|$)"
)
"""`docker-ID.scope`, `/docker/ID`, `libpod-ID.scope`, `crio-ID.scope`, `POD:cri-containerd:ID`; the id alone under
`/kubepods/burstable/podUID/`; `/lxc.payload.NAME`, `/lxc/NAME`, `machine-NAME.scope` of systemd-nspawn."""


def unit_of(path: str) -> str | None:
    """The innermost systemd service: `/system.slice/ollama.service/x` is in `ollama.service`."""
    services = [part for part in path.split("/") if part.endswith(".service")]
    return services[-1] if services else None


def containers_of(path: str) -> list[str]:
    """Ids (docker, podman, kubernetes, containerd) or names (lxc, nspawn) of containers, the outermost first."""
    return list(dict.fromkeys(next(filter(None, found.groups())) for found in _CONTAINER.finditer(path)))


def container_of(path: str) -> str | None:
    """The innermost container: in a node of Kubernetes that is itself a container, that of the pod; None outside."""
    return next(reversed(containers_of(path)), None)
