"""A planted secret is in nothing that leaves the collector, and with --redact no name of a person or machine either."""

import os
import re
from pathlib import Path

import pytest

from inspector.model.diagnosis import diagnose
from inspector.model.profiles import builtin_profiles
from inspector.report.builder import report
from inspector.report.formats import FORMATS, render
from inspector.report.observe import from_recording

from .run import inspector, said

pytestmark = pytest.mark.longer

PROGRAM = (
    "sh", "-c", 'echo "Authorization: Bearer LEAK-of-a-log-1"; echo "at 192.0.2.7 by zoe@gpu7.example.org"; sleep 0.3',
    "/home/zoe/models", "--owner=zoe", "--api-key=LEAK-of-an-argument", "--token", "LEAK-of-the-next-argument",
)  # fmt: skip
ENVIRONMENT = {
    "OLLAMA_API_KEY": "LEAK-of-a-variable", "TOKEN": "LEAK-of-another", "LD_LIBRARY_PATH": "/home/zoe/lib",
    "HTTPS_PROXY": "http://zoe:LEAK-of-a-url@192.0.2.9:3128",
}  # fmt: skip
NAMES = re.compile(rb"\bzoe\b|gpu7|192\.0\.2\.|\b" + re.escape(os.uname().nodename.encode()) + rb"\b")


@pytest.mark.parametrize("redact", [False, True])
def test_nothing_that_is_shared_holds_a_secret(tmp_path: Path, redact: bool) -> None:
    path = tmp_path / "seen.jsonl"
    words = ["--redact"] if redact else []
    done = inspector("record", *words, "-o", str(path), "--", *PROGRAM, environment=ENVIRONMENT)
    assert done.returncode == 0, said(done)
    seen = from_recording(str(path), builtin_profiles())
    told = report(seen.state, diagnose(seen.state), seen.troubles)
    shared: dict[str, bytes] = {format: render(told, format) for format in FORMATS}
    shared |= {
        "recording": path.read_bytes(),
        "live": inspector("trace", *words, "--", *PROGRAM, environment=ENVIRONMENT).stdout,
    }
    assert b"(hidden)" in shared["recording"] and all(shared.values())
    assert [name for name, content in shared.items() if b"LEAK" in content] == []
    if redact:
        assert [name for name, content in shared.items() if NAMES.search(content)] == []
        assert "for zoe" in said(done)
