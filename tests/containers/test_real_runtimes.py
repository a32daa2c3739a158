"""`container:NAME` against real runtimes, from the host: each with its own files, control groups and name spaces."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import COMMAND

from . import image
from .apart import Apart
from .runtimes import RUNTIMES, Containerd, Docker, Podman, missing

pytestmark = [
    pytest.mark.live,
    pytest.mark.longer,
    pytest.mark.xdist_group("containers"),
    pytest.mark.skipif(os.geteuid() != 0, reason="runtimes are started by root"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here"),
]
Runtime = Podman | Docker | Containerd


@pytest.fixture
def apart() -> Iterator[Apart]:
    try:
        opened = Apart()
    except OSError as error:
        pytest.skip(str(error))
    yield opened
    opened.close()


@pytest.fixture(params=RUNTIMES, ids=lambda runtime: runtime.__name__.lower())
def runtime(request: pytest.FixtureRequest, apart: Apart, tmp_path: Path) -> Iterator[Runtime]:
    if absent := missing(request.param):
        pytest.skip(f"not here: {', '.join(absent)}")
    opened: Runtime = request.param(apart, image.make(tmp_path), tmp_path)
    yield opened
    opened.stop()


def test_a_container_is_waited_for_by_its_name_and_the_loaders_words_in_it_are_heard(
    runtime: Runtime, apart: Apart
) -> None:
    words = apart.words([*COMMAND, "report", "--wait", "container:asking", "--for", "3s", "--format", "json"])
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as report:
        assert report.stderr is not None
        assert report.stderr.readline() == b"inspector: waiting for container:asking: start it now\n"
        runtime.start("asking")
        printed, said = report.communicate(timeout=120)
    made = json.loads(printed)
    first = next(process for process in made["target"]["tree"] if process["pid"] == runtime.pid())
    assert first["argv"] == ["/app/asks"] and first["container"], said
    assert "libcuda.so.1" in made["findings"][0]["title"], made["findings"][0]


def test_a_running_container_is_found_by_its_name_and_by_the_beginning_of_its_id(
    runtime: Runtime, apart: Apart
) -> None:
    runtime.start("running")
    pid = runtime.pid()
    rows = json.loads(apart.run(*COMMAND, "list", "--all", "--format", "json"))
    container = next(row["container"] for row in rows if row["pid"] == pid)
    for name in ("running", container[:12]):
        made = subprocess.run(
            apart.words([*COMMAND, "report", f"container:{name}", "--for", "500ms", "--format", "json"]),
            capture_output=True, timeout=120,
        )  # fmt: skip
        assert json.loads(made.stdout)["target"]["pid"] == pid, made.stderr
    other = subprocess.run(apart.words([*COMMAND, "report", "container:other"]), capture_output=True, timeout=120)
    assert other.returncode == 3
