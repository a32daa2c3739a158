"""By which names a program is called that an interpreter runs."""

import pytest

from inspector.collect.invocation import program_words


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("python3.11 -X dev /srv/train.py --epochs 3", "train.py"),
        ("python train.py", "train"),
        ("/usr/bin/python3 -m uvicorn app:main", "uvicorn"),
        ("java -Xmx2g -cp /a:/b com.example.Main --x", "Main"),
        ("java -jar server.jar", "server.jar"),
        ("node --require ./a.js /srv/index.js", "index.js"),
        ("bash -x ./serve.sh", "serve.sh"),
    ],
)
def test_an_interpreters_program_is_what_it_runs(line: str, name: str) -> None:
    assert name.encode() in program_words(line.encode().split())


@pytest.mark.parametrize(
    "line", ["systemctl start ollama", "grep ollama log", "python -c ollama", "java -version", "python3", ""]
)
def test_a_word_among_arguments_is_no_program(line: str) -> None:
    assert b"ollama" not in program_words(line.encode().split())
