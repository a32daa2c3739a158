"""What ARCHITECTURE.md names is there: a map with wrong paths is worse than none."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()


def test_every_path_of_the_map_exists() -> None:
    (guide,) = re.findall(r"^## I want to add.*?(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    paths = re.findall(r"`((?:inspector|tests|packaging)/[\w./]*)`", guide)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_module_that_is_named_exists() -> None:
    files = [f"/{path.relative_to(ROOT)}" for room in ("inspector", "tests") for path in (ROOT / room).rglob("*.py")]
    named = re.findall(r"`(?:… ?)?/?([\w./]+\.py)`", TEXT)
    assert named
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []
