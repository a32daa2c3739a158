"""By which names a program is called that an interpreter runs."""

import pytest

from inspector.stream.invocation import is_call, is_inspector, program_name, program_words


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
        ("deno run -A /srv/main.ts", "main.ts"),
        ("bun run run", "run"),
        ("/opt/node_modules/bun/bin/bun.exe run /srv/main.js", "main.js"),
        ("php -d ffi.enable=1 main.php", "main.php"),
        ("luajit main.lua", "main.lua"),
    ],
)
def test_an_interpreters_program_is_what_it_runs(line: str, name: str) -> None:
    assert name.encode() in program_words(line.encode().split())


@pytest.mark.parametrize(
    "line",
    [
        "systemctl start ollama",
        "grep ollama log",
        "python -c ollama",
        "deno eval ollama",
        "java -version",
        "python3",
        "",
    ],
)
def test_a_word_among_arguments_is_no_program(line: str) -> None:
    assert b"ollama" not in program_words(line.encode().split())


def test_a_script_that_comes_through_a_descriptor_has_no_name() -> None:
    assert program_name(["bash", "/dev/fd/3"], "/usr/bin/bash") == "bash"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("/usr/local/bin/ollama serve --port 1", "ollama serve"),
        ("/usr/local/bin/ollama serve", "/usr/local/bin/ollama serve"),
        ("java -Xmx2g -cp /a:/b com.example.Main --x", "java Main"),
        ("java -Xmx2g -cp /a:/b com.example.Main --x", "com.example.Main --x"),
        ("java -cp /a com.example.Main", "-cp /a com.example.Main"),
        ("python3 -m uvicorn app:main --reload", "uvicorn app:main"),
        ("python3 /srv/train.py --epochs 3", "train.py --epochs"),
        ("bash /srv/serve.sh now", "serve.sh now"),
    ],
)
def test_several_words_are_a_call_of_a_program_then_its_arguments_in_order(line: str, text: str) -> None:
    assert is_call(line.encode().split(), text.encode())


@pytest.mark.parametrize(
    "argv",
    [
        ["cp", "ollama", "serve"],
        ["grep", "ollama serve", "log"],
        ["tail", "-f", "ollama serve"],
        ["vim", "ollama", "serve"],
        ["sh", "-c", "sleep 1; ollama serve"],
        ["python3", "/bin/inspector", "--wait", "ollama serve"],
        ["ollama", "list"],
        ["serve", "ollama"],
        [],
    ],
)
def test_the_same_words_as_arguments_of_another_program_are_no_call(argv: list[str]) -> None:
    assert not is_call([word.encode() for word in argv], b"ollama serve")


def test_a_collector_is_an_inspector_however_it_was_started() -> None:
    for script in (b"/srv/.venv/bin/inspector", b"/srv/inspector/__main__.py"):
        assert is_inspector([b"python3", script, b"collect"])
    assert not is_inspector([b"python3", b"/srv/app/__main__.py", b"collect"])
