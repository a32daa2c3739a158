"""What a shell was told to run is what one waits for, where the shell alone is left."""

import pytest

from inspector.model.shell_commands import programs_told

TOLD = {
    "LD_LIBRARY_PATH=/opt/x /opt/x/server; sleep 60": ["server"],
    "cd /srv && exec python3 -u train.py --epochs 3 > log 2>&1": ["train.py"],
    "export A=1\nif [ -f x ]; then ./engine; fi": ["engine"],
    "nohup ollama serve &": ["ollama"],
    "printf 'quit\\n' | leelaz -w net.txt": ["leelaz"],
    "sleep 5; echo done": [],
    "echo 'never closed": [],
    "$PROGRAM --x": [],
}


@pytest.mark.parametrize("text", TOLD)
def test_the_programs_in_the_text_of_a_shell_are_named_without_its_tools(text: str) -> None:
    assert programs_told(["/bin/sh", "-c", text]) == TOLD[text]


def test_a_shell_without_a_text_and_any_other_program_tell_none() -> None:
    assert programs_told(["bash"]) == programs_told(["python3", "-c", "import torch"]) == []
