"""Cases in which one looks at the wrong process, or too late."""

import socket
from pathlib import Path

from msgspec.structs import replace

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import CLIENT, DISCOVERED, put_program, put_shims, server_launch, server_tree

_PORT = 11434
"""Where clients of Ollama look for their server."""


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _client_only(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    port = str(_free_port())
    stage.note("port", port)
    server = server_launch(tree, DEMO_PORT=port)
    client = put_program(stage, CLIENT)
    return Launch([client, port], ready="answer of", beside=server, log="client.log")


def _other_service(stage: Stage) -> Launch:
    first, second = server_tree(stage), server_tree(stage, leave_out=("blas_lt",))
    name = Path(first.program).name
    for tree in (first, second):
        tree.program = str(Path(tree.program).rename(Path(tree.program).with_name(name)))
        tree.preload(*put_shims(tree))
    return replace(
        server_launch(second), beside=server_launch(first, DEMO_PORT=str(_PORT)), log="second.log", late=True
    )


def _port_is_free() -> str:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", _PORT))
        except OSError:
            return f"needs port {_PORT} of 127.0.0.1, which is taken"
    return ""


def _too_late(stage: Stage) -> Launch:
    tree = server_tree(stage, leave_out=("blas_lt",))
    tree.preload(*put_shims(tree))
    return Launch([tree.program], tree.environment, ready=DISCOVERED, late=True)


CASES = (
    Case(
        name="client-only",
        story="the process under observation is the HTTP client; the GPU work is the server's",
        family="which process",
        stage=_client_only,
        rule="client-only",
        mode="cpu",
        sentence="{port}",
        seconds=1.5,
    ),
    Case(
        name="other-service-answers",
        story="two installations of the server: clients reach the other one",
        family="which process",
        stage=_other_service,
        rule="other-service-answers",
        mode="cpu",
        sentence="11434",
        seconds=1.5,
        needs=_port_is_free,
    ),
    Case(
        name="too-late",
        story="the same fault as in the-question, but the observer comes when discovery is over: its child is gone",
        family="which process",
        stage=_too_late,
        rule="dependency-missing",
        mode="cpu",
        sentence="libcublasLt.so.12",
        seconds=2.5,  # what it did not load is predicted after 1.5 s
        also=("no-consumer",),
    ),
)
