"""A target that has started us: what we do to look is none of its tree."""

import json
import subprocess
import sys

import pytest


@pytest.mark.longer
def test_a_shell_that_asks_about_itself_is_alone_in_its_tree() -> None:
    asked = f"{sys.executable} -m inspector report --for 300ms --format json $$; true"
    told = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, timeout=60).stdout
    tree = json.loads(told)["target"]["tree"]
    assert [process["argv"][:2] for process in tree] == [["sh", "-c"]]
