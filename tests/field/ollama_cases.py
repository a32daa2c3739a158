"""What real Ollama is done to, in each generation, and the answer that is right."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import answers, ollama
from .answers import Job
from .expected import Expected
from .ollama import Ollama

_PROMPT_SECONDS = 30.0
_DISCOVERY_SECONDS = 10.0
_BEFORE_ATTACHING = 5.0
_WAYS = ("started", "waited for", "late")


@dataclass(frozen=True)
class Case:
    """One thing that is done to it."""

    name: str
    generations: str
    expected: Expected
    settings: str = ""
    """Shell words for `export`; `$SHIM` is the folder of the stand-in for the driver."""
    spoil: Callable[[Ollama], None] = lambda installed: None
    model: str = ""
    """Lines of a Modelfile: a model is made of it and asked something."""
    late: Expected | None = None
    """Where it is attached to after the fact; None where nothing is left to be attached to, or it is no question."""


def _no_algebra(installed: Ollama) -> None:
    (installed.backends / "libcublas.so.12").unlink()


def _no_backend(installed: Ollama) -> None:
    for file in installed.backends.iterdir():
        file.unlink()
    installed.backends.rmdir()


_SEEN = "LD_LIBRARY_PATH=$SHIM"
_CPU_LATE = Expected("cpu|undecided")
_FOUND = Expected("cuda|undecided", blames_nothing=True, unsure=True)
_ABORTED = Expected("cpu|undecided", ("SIGABRT", "cuInit", "libcuda.so.1"))
_LITTLE = "PARAMETER num_ctx 256\\nPARAMETER num_predict 20\\n"

CASES = [
    Case("works", "abc", _FOUND, _SEEN, late=_FOUND),
    Case("no driver", "a", Expected("cpu", ("libcuda",)), late=_CPU_LATE),
    Case("no driver", "bc", Expected("cpu", ("libcuda.so.1",)), late=_CPU_LATE),
    Case(
        "no device", "abc", Expected("cpu", ("cuInit = 100", "/shim/libcuda.so.1")), f"FIELD_ANSWER=100 {_SEEN}",
        late=_CPU_LATE,
    ),
    Case("aborts", "abc", _ABORTED, f"FIELD_ABORT=1 {_SEEN}"),
    Case("hangs", "abc", Expected("cpu|undecided", ("cuInit", "libcuda.so.1")), f"FIELD_HANG=1 {_SEEN}",
         late=Expected("cpu|undecided", ("cuInit",))),
    Case("preloaded without its name", "bc", Expected("cpu", ("SONAME",)), "LD_PRELOAD=$SHIM/libnosoname.so",
         late=_CPU_LATE),
    Case("no cuBLAS", "bc", Expected("cpu", ("libggml-cuda.so", "libcublas.so.12")), _SEEN, _no_algebra,
         late=_CPU_LATE),
    Case("no backend", "bc", Expected("cpu", ("backend",)), _SEEN, _no_backend, late=_CPU_LATE),
    Case("told to use the CPU", "bc", Expected("cpu", ("OLLAMA_LLM_LIBRARY",)), f"OLLAMA_LLM_LIBRARY=cpu {_SEEN}",
         late=_CPU_LATE),
    Case("a model without a backend", "a", Expected("cpu"), _SEEN, model=_LITTLE, late=_CPU_LATE),
    Case("a model", "bc", Expected("cuda", ("launch",), unsure=True), _SEEN, model=_LITTLE),
    Case("a model on the CPU", "bc", Expected("cpu"), _SEEN, model=_LITTLE + "PARAMETER num_gpu 0\\n", late=_CPU_LATE),
]  # fmt: skip


def jobs(installed: list[Ollama], folder: Path, ways: tuple[str, ...] = _WAYS) -> Iterator[Job]:
    """Every case of every generation in every way, each in a tree of its own."""
    ollama.model()  # made before several threads want it
    for one in installed:
        for number, case in enumerate(CASES):
            if one.name not in case.generations:
                continue
            for way in ways:
                expected = case.late if way == "late" else case.expected
                if expected is not None:
                    place = folder / f"{one.name}{number}-{way.partition(' ')[0]}"
                    title = f"{ollama.GENERATIONS[one.name]} {case.name}"
                    yield Job(title, way, expected, _asking(one, case, way, place))


def _asking(one: Ollama, case: Case, way: str, place: Path) -> Callable[[], bytes]:
    tried: list[Path] = []

    def ask() -> bytes:
        own = place.with_name(f"{place.name}-{len(tried)}")
        tried.append(own)
        own.mkdir()
        mine = one.copy(own / "root")
        case.spoil(mine)
        command = [str(_script(mine, case, own))]
        seconds = _PROMPT_SECONDS if case.model else _DISCOVERY_SECONDS
        if way == "started":
            return answers.started(command, {}, seconds)
        if way == "waited for":
            return answers.waited(str(mine.program), command, {}, seconds)
        return answers.attached(command, {}, _BEFORE_ATTACHING + (seconds - _DISCOVERY_SECONDS), 5.0)

    return ask


def _script(mine: Ollama, case: Case, own: Path) -> Path:
    """Starts the server, and beside it a client that makes a model and asks it something."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (own / "home").mkdir()
    lines = [
        "#!/bin/sh",
        f"export HOME={own}/home OLLAMA_MODELS={own}/models OLLAMA_NO_CLOUD=1",
        f"export OLLAMA_HOST=127.0.0.1:{port} SHIM={mine.shim}",
    ]
    if case.model:
        asks = f"{mine.program} create tiny -f {own}/Modelfile; {mine.program} run tiny hello; {mine.program} ps"
        lines.append(f"printf 'FROM {ollama.model()}\\n{case.model}' > {own}/Modelfile")
        lines.append(f"(sleep 2; {asks}) > {own}/client.log 2>&1 &")
    if case.settings:
        lines.append(f"export {case.settings}")
    lines.append(f"exec {mine.program} serve")
    script = own / "serve.sh"
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    return script
