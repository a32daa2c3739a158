"""Cases in which one looks at the wrong process, or too late."""

import socket

from ..case import Case, Launch
from ..parts import CLIENT, DISCOVERED, put_program, put_shims, server_launch, server_tree
from ..stage import Stage


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
        mode="undecided",
        sentence="{port}",
    ),
    Case(
        name="too-late",
        story="the same fault as in the-question, but the observer comes when discovery is over",
        family="which process",
        stage=_too_late,
        rule="dependency-missing",
        mode="cpu",
        sentence="libcublasLt.so.12",
    ),
)
