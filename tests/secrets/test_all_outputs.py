"""Secrets of 150 shapes in the log, the arguments and the environment of one target: in nothing that leaves, none."""

import html
import json
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.model.diagnosis import diagnose
from inspector.model.profiles import builtin_profiles
from inspector.report.builder import report
from inspector.report.formats import FORMATS, render
from inspector.report.observe import from_recording
from inspector.stream.recording import Recording
from inspector.stream.transport import MAIN
from tests.view.app_harness import running_app
from tests.view.feeds import FakeFeed

from .listed_samples import listed
from .newest_samples import newest

pytestmark = pytest.mark.xdist_group("secrets in outputs")  # one observation for all
_PROGRAM = """
import json, subprocess, sys, time
given = json.load(open(sys.argv[1]))
with open(sys.argv[2], "a") as log:
    log.write("".join(f"{line}\\n" for line in given["lines"]))
print("\\n".join(given["lines"]), flush=True)
for words in given["arguments"]:
    subprocess.run(words, executable="/bin/true")
time.sleep(1)
"""
_LEAST = 8
"""Shorter secrets stand in any text."""


def _spellings(secret: str) -> list[bytes]:
    return [text.encode() for text in {secret, json.dumps(secret)[1:-1], html.escape(secret)}]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target that says and is told all of them, as it was recorded."""
    folder = tmp_path_factory.mktemp("told")
    shapes = [*newest(), *listed()]
    given = {
        "lines": [line for shape in shapes if shape.where == "log" for line in shape.text],
        "arguments": [shape.text for shape in shapes if shape.where == "arguments"],
    }
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "secrets.json").write_text(json.dumps([secret for shape in shapes for secret in shape.secrets]))
    (folder / "x.log").touch()
    pairs = (text.partition("=") for shape in shapes if shape.where not in ("log", "arguments") for text in shape.text)
    environment = {"PATH": "/usr/bin:/bin", **{key: value for key, _, value in pairs}}
    program = [sys.executable, "-c", _PROGRAM, str(folder / "given.json"), str(folder / "x.log")]
    command = [sys.executable, str(MAIN), "record", "--log", str(folder / "x.log"), "-o", str(folder / "seen.jsonl")]
    done = subprocess.run([*command, "--", *program], env=environment, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return folder / "seen.jsonl"


@pytest.fixture
def secrets(recording: Path) -> list[str]:
    told: list[str] = json.loads((recording.parent / "secrets.json").read_text())
    return [secret for secret in told if len(secret) >= _LEAST]


def leaked(secrets: list[str], content: bytes) -> list[str]:
    return [secret for secret in secrets if any(spelled in content for spelled in _spellings(secret))]


def test_none_is_in_the_recording(recording: Path, secrets: list[str]) -> None:
    content = recording.read_bytes()
    assert content.count(b"(hidden)") > len(secrets), "the log, the output and the arguments were seen"
    assert leaked(secrets, content) == []


@pytest.mark.parametrize("format", FORMATS)
def test_none_is_in_any_report(recording: Path, secrets: list[str], format: str) -> None:
    seen = from_recording(str(recording), builtin_profiles())
    told = report(seen.state, diagnose(seen.state), seen.troubles)
    assert leaked(secrets, render(told, format)) == []


def test_none_is_in_the_timeline(recording: Path, secrets: list[str]) -> None:
    words = [sys.executable, str(MAIN), "trace", str(recording)]
    shown = subprocess.run(words, capture_output=True, timeout=120).stdout
    assert b"(hidden)" in shown
    assert leaked(secrets, shown) == []


@pytest.mark.longer
async def test_none_is_on_the_screen(recording: Path, secrets: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(list(Recording(str(recording)))), monkeypatch, (200, 60)) as ui:
        for number in "123456":
            await ui.press(number, "z")
            for key in ("g", "G"):
                await ui.press(key)
                assert leaked(secrets, ui.text.encode()) == []
            await ui.press("z")
