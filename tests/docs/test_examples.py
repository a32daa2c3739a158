"""Every example of the documentation runs and prints what the page shows; every link leads somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .examples import Example, blocks, matches

pytestmark = pytest.mark.longer

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
RECORDINGS = {"bad.zst": "the-question", "good.zst": "healthy"}
"""What the pages call two demo cases, see docs/README.md."""
_BLOCKS = [block for page in PAGES for block in blocks(page)]
_LINK = re.compile(r"\]\((?!https?:)(?P<to>[^)#\s]+)?(?:#(?P<part>[^)\s]+))?\)")


@pytest.mark.parametrize("block", _BLOCKS, ids=lambda block: str(block[0]))
def test_an_example_prints_what_the_page_shows(block: list[Example], tmp_path: Path) -> None:
    for name, case in RECORDINGS.items():
        shutil.copy(ROOT / f"inspector/demo/recordings/{case}.jsonl.zst", tmp_path / name)
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(tmp_path), "COLUMNS": "100"}
    for example in block:
        done = subprocess.run(
            ["bash", "-c", example.command], cwd=tmp_path, env=environment, text=True, timeout=120, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        printed = done.stdout.splitlines()
        assert matches(example.output, printed), f"{example}: $ {example.command}\n" + "\n".join(printed)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_each_link_of_a_page_leads_somewhere(page: Path) -> None:
    for found in _LINK.finditer(page.read_text(encoding="utf-8")):
        target = page.parent / found["to"] if found["to"] else page
        assert target.exists(), found[0]
        if found["part"] and target.suffix == ".md":
            assert found["part"] in _anchors(target), found[0]


def test_every_page_is_named_in_the_table_of_contents() -> None:
    contents = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name != "README.md" and f"({page.name})" not in contents] == []


def test_dots_stand_for_any_text_and_any_lines() -> None:
    assert matches(["a ... c", "...", "end"], ["a b   c", "x", "y", "end"])
    assert matches(["..."], [])
    assert not matches(["a"], ["a", "b"])
    assert not matches(["a.c"], ["abc"])


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
