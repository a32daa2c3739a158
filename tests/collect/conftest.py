"""What the tests of the collector share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .targets import Workshop, build


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """The compiled programs, in a folder that every user may read (pytest's own is only for us)."""
    with tempfile.TemporaryDirectory(prefix="inspector-targets-") as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder))
