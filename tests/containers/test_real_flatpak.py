"""Programs in the sandbox of a real flatpak, observed from outside: other paths, name spaces, no name of ours in it."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.run import COMMAND

from .flatpak import Flatpak

pytestmark = [
    pytest.mark.live,
    pytest.mark.longer,
    pytest.mark.xdist_group("containers"),
    pytest.mark.skipif(os.geteuid() != 0, reason="another name space is looked into by root"),
    pytest.mark.skipif(shutil.which("flatpak") is None, reason="no flatpak here: apt-get install flatpak"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here"),
]


@contextmanager
def _running(flatpak: Flatpak) -> Iterator[None]:
    process = flatpak.start()
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _waited_for(flatpak: Flatpak) -> "dict[str, list[dict[str, object]]]":
    words = [*COMMAND, "report", "--wait", flatpak.program, "--for", "3s", "--format", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as report:
        assert report.stderr is not None
        assert report.stderr.readline() == f"inspector: waiting for {flatpak.program}: start it now\n".encode()
        with _running(flatpak):
            printed, _ = report.communicate(timeout=120)
    made: dict[str, list[dict[str, object]]] = json.loads(printed)
    return made


def test_the_first_call_in_a_sandbox_is_counted_and_shown_by_a_path_that_is_valid_outside(tmp_path: Path) -> None:
    made = _waited_for(Flatpak(tmp_path, driver_inside=True))
    assert [(row["function"], row["library"]) for row in made["calls"]] == [("cuInit", "/app/lib/libcuda.so.1")]
    first = made["findings"][0]
    assert first["rule"] == "api-error" and "cuInit = 100" in str(first["title"])
    assert f"/proc/{first['pid']}/root/app/lib/libcuda.so.1" in json.dumps(first["evidence"])


def test_a_driver_that_is_not_in_the_sandbox_is_missed_there(tmp_path: Path) -> None:
    first = _waited_for(Flatpak(tmp_path, driver_inside=False))["findings"][0]
    assert "libcuda.so.1" in str(first["title"]), first
    assert first["severity"] == "error"
