"""The collector holds what it needs to look, in every thread and helper, and nothing that would change anything."""

import os
import subprocess
import sys
from pathlib import Path

from inspector.collect.kernel.filecaps import NAMES
from tests.collect.collector import Collector

from .conftest import needs_root

_NEVER = frozenset(
    ("chown", "dac_override", "fowner", "fsetid", "net_admin", "net_raw", "sys_module", "sys_rawio", "sys_boot",
     "mknod", "sys_time", "setfcap", "linux_immutable", "mac_admin", "mac_override", "setpcap", "sys_chroot")
)  # fmt: skip


def _status(place: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in place.read_text().splitlines())
    return {key: value.strip() for key, _, value in lines}


def _names(mask: str) -> set[str]:
    return {name for bit, name in enumerate(NAMES) if int(mask, 16) >> bit & 1}


def _threads(pid: int) -> list[Path]:
    """Of a process and all below it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = [task / "status" for task in Path(f"/proc/{pid}/task").iterdir()]
    return own + [status for child in below for status in _threads(int(child))]


@needs_root
def test_a_collector_of_root_gives_up_what_it_does_not_need() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with Collector(str(sleeper.pid)) as collector:
            collector.program(sleeper.pid)
            held = [_status(place) for place in _threads(collector.pid)]
            collector.quit()
    finally:
        sleeper.kill()
        sleeper.wait()
    assert len(held) > 2
    for status in held:
        assert status["NoNewPrivs"] == "1"
        for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh"):
            assert not _names(status[kind]) & (_NEVER | {"kill"}), status["Name"]
        assert "bpf" in _names(status["CapPrm"]) or "sys_admin" in _names(status["CapPrm"])


@needs_root
def test_a_command_that_it_starts_keeps_what_its_user_has(tmp_path: Path) -> None:
    out = tmp_path / "status"
    script = f"cat /proc/self/status > {out}"
    words = [sys.executable, "-m", "inspector", "report", "--for", "5s", "--", "sh", "-c", script]
    subprocess.run(words, capture_output=True, timeout=60)
    status, ours = _status(out), _status(Path("/proc/self/status"))
    assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"]) == (ours["CapEff"], ours["CapBnd"], "0")
    assert status["Uid"].split()[0] == str(os.getuid())
