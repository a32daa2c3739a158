"""A recording of the main question as a file."""

from pathlib import Path

from inspector.stream.codec import encode
from tests.view.sample import main_question


def recorded(folder: Path) -> str:
    """The path of a fresh one in a folder."""
    path = folder / "seen.jsonl"
    path.write_bytes(b"".join(map(encode, main_question())))
    return str(path)
