"""Names of containers, in the files that docker, podman, containerd and CRI-O leave."""

import json
import os
from pathlib import Path

import pytest

from inspector.collect import target
from inspector.collect.container_names import names_of
from inspector.collect.target import parse_target

ID, OTHER = "0123456789ab" + "c" * 52, "f" * 64
LAYOUTS = {
    "docker": (f"var/lib/docker/containers/{ID}/config.v2.json", {"ID": ID, "Name": "/ollama", "State": {"Pid": 7}}),
    "docker of a snap": (f"var/snap/docker/common/var-lib-docker/containers/{ID}/config.v2.json", {"Name": "/ollama"}),
    "podman": (
        "var/lib/containers/storage/overlay-containers/containers.json",
        [{"id": OTHER, "names": ["other"]}, {"id": ID, "names": ["ollama"], "layer": "x"}],
    ),
    "podman without root": (
        "home/me/.local/share/containers/storage/overlay-containers/containers.json",
        [{"id": ID, "names": ["ollama"]}],
    ),
    "containerd in Kubernetes": (
        f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
        {"ociVersion": "1.2.0", "annotations": {"io.kubernetes.cri.container-name": "ollama",
                                                "io.kubernetes.cri.sandbox-name": "ollama-7d9c-x2"}},
    ),
    "containerd of k3s": (
        f"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
        {"annotations": {"io.kubernetes.cri.container-name": "ollama"}},
    ),
    "nerdctl": (
        f"run/containerd/io.containerd.runtime.v2.task/default/{ID}/config.json",
        {"annotations": {"nerdctl/name": "ollama"}},
    ),
    "CRI-O": (
        f"run/containers/storage/overlay-containers/{ID}/userdata/config.json",
        {"annotations": {"io.kubernetes.container.name": "ollama", "io.kubernetes.pod.name": "ollama-7d9c-x2"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_name_is_read_where_the_runtime_keeps_it(layout: str, tmp_path: Path) -> None:
    place, content = LAYOUTS[layout]
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    names = names_of(ID, tmp_path, [tmp_path / "home/me"])
    assert "ollama" in names and names <= {"ollama", "ollama-7d9c-x2"}
    assert names_of(OTHER, tmp_path, [tmp_path / "home/me"]) <= {"other"}


def test_docker_may_keep_its_containers_on_another_disk(tmp_path: Path) -> None:
    for place, content in {"etc/docker/daemon.json": {"data-root": "/srv/docker", "debug": True},
                           f"srv/docker/containers/{ID}/config.v2.json": {"Name": "/ollama"}}.items():  # fmt: skip
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(json.dumps(content))
    assert names_of(ID, tmp_path, []) == {"ollama"}


def test_a_container_without_root_is_found_for_root_by_whom_sudo_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    path = tmp_path / LAYOUTS["podman without root"][0]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(LAYOUTS["podman without root"][1]))
    os.chown(path, 65534, 65534)
    assert names_of(ID, tmp_path, [tmp_path / "home/me"]) == frozenset()
    monkeypatch.setenv("SUDO_UID", "65534")
    assert names_of(ID, tmp_path, [tmp_path / "home/me"]) == {"ollama"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Name": 7}', '{"annotations": 3}'])
def test_a_damaged_file_tells_no_name(content: str, tmp_path: Path) -> None:
    for place, _ in LAYOUTS.values():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(content)
    assert names_of(ID, tmp_path, [tmp_path / "home/me"]) == frozenset()


def test_what_is_no_file_of_root_or_ours_is_not_read_and_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / LAYOUTS["podman without root"][0]
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert names_of(ID, tmp_path, [tmp_path / "home/me"]) == frozenset()
    path.unlink()
    path.write_text(json.dumps(LAYOUTS["podman without root"][1]))
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        assert names_of(ID, tmp_path, [tmp_path / "home/me"]) == frozenset()


def test_a_container_is_meant_by_its_name_or_by_the_beginning_of_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "names_of", lambda container: {ID: {"ollama"}}.get(container, frozenset()))
    path = f"/system.slice/docker-{ID}.scope"
    for text, meant in {"ollama": True, ID[:12]: True, "olla": False, OTHER[:12]: False}.items():
        assert parse_target(f"container:{text}")._is_group(path) is meant, text
