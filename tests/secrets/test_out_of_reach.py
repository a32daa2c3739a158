"""Whoever looks may have become another user in another root since its start: no file is needed any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_LOOKS = """
import os, sys
from inspector.stream.secrets import hide, hide_names, shown_arguments, shown_value
os.chroot(sys.argv[1]); os.chdir("/"); os.setgroups([]); os.setgid(65534); os.setuid(65534)
for line in sys.stdin:
    shown = hide(line), hide_names(line), shown_value("DB_PASS", line), shown_arguments(["tool", "-p", line])
    print(shown[0], end="")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root")
def test_what_a_text_tells_is_hidden_without_a_file(tmp_path: Path) -> None:
    told = 'wrong password "zqotterlin" for bob\nhasło dla boba: zqotterlin\nlogin failed for jsmith/zqotterlin\n'
    done = subprocess.run(
        [sys.executable, "-c", _LOOKS, tmp_path], input=told, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert "zqotterlin" not in done.stdout and all("(hidden)" in line for line in done.stdout.splitlines())
