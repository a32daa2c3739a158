"""The application on a stage: played events, a fixed answer, and ways to read what is on the screen."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from textual.pilot import Pilot

from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.model.verdict import RUNGS, Answer, Evidence, Finding, Ladder, Link, Mode, Rung, Truth
from inspector.view import session
from inspector.view.app import InspectorApp
from inspector.view.feed import Feed
from inspector.view.output import plain_text
from inspector.view.session import Drawing
from inspector.view.settings import Settings

from .sample import FIRST, SERVER, SHIM, SHIM_PATH, at

TRUTHS: list[Truth] = ["yes", "yes", "unknown", "no", "unknown", "unknown", "unknown", "unknown", "unknown"]
BACKEND = "/usr/local/lib/ollama/cuda_v12/libggml-cuda.so"
MISSING = "libcublas.so.12: cannot open shared object file"
DETAILS = [
    "LD_PRELOAD same as parent",
    "libvgpu-cuda.so.1 by LD_PRELOAD",
    "447 names, all 24 needed ones",
    "libggml-cuda.so did not load: libcublas.so.12 is missing",
    "no look-up was seen: nothing could look",
    "0 of 3 watched functions by a consumer, 1 by the shim itself",
    "no call of a consumer returned",
    "ollama_stderr.log",
    "inference compute library=cpu",
]


def fixed_answer(state: State, profiles: Profiles) -> Answer:
    """What the model would say of the main question, without the model."""
    if not state.processes:
        return Answer(mode=Mode(verdict="undecided", confidence="guess"), ladders=[], findings=[], coverage="nothing")
    return Answer(
        mode=Mode(verdict="cpu", confidence="likely", evidence=[_log_line()]),
        ladders=[_ladder(pid, api) for pid in (FIRST, SERVER) for api in ("cuda-driver", "nvml")],
        findings=[_main_finding(), _other_finding()],
        coverage="3 processes, each since its birth; 3 functions of 1 library counted",
    )


def drawn(make: Callable[[State, Profiles], Answer]) -> Callable[[State, Profiles], Drawing]:
    """An answer that is drawn in two steps."""

    def draw(state: State, profiles: Profiles) -> Drawing:
        yield
        return make(state, profiles)

    return draw


def _main_finding() -> Finding:
    return Finding(
        rule="dependency-missing", severity="error", confidence="proven", pid=FIRST,
        title="The backend libggml-cuda.so does not load in the discovery children: libcublas.so.12 is missing",
        cause="libggml-cuda.so needs libcublas.so.12, which no directory of the search path holds.",
        next_step="Put libcublas.so.12 into /usr/local/lib/ollama/cuda_v12 or name its folder in LD_LIBRARY_PATH.",
        doubt="a file that appears later", command="find / -xdev -name 'libcublas.so.12*' 2>/dev/null",
        chain=[
            Link(text="on the CPU", kind="mode", subject="cpu"),
            Link(text=f"{BACKEND}: {MISSING}", at=at(2.011), pid=FIRST, kind="load", subject=BACKEND, answer=MISSING),
            Link(text="libcublas.so.12 is missing", pid=FIRST, kind="root", subject="dependency-missing"),
        ],
        evidence=[
            Evidence(
                text=MISSING, pane="libraries", pid=FIRST,
                key=f"{FIRST}:load:{BACKEND}",
            ),
            _log_line(),
            Evidence(text="cuInit was called by the shim itself", pane="timeline", pid=FIRST, key="6", at=at(2.011)),
            Evidence(text="cuMemAlloc_v2 is there", pane="symbols", key=f"{SHIM}:cuMemAlloc_v2"),
            Evidence(text="mapped by LD_PRELOAD", pane="libraries", pid=SERVER, key=f"{SERVER}:{0x7F10AA000000}"),
        ],
    )  # fmt: skip


def _other_finding() -> Finding:
    return Finding(
        rule="environment-lost", severity="warning", confidence="proven", title="LD_PRELOAD does not reach 2 children",
        cause="ollama starts them with an environment of its own.", next_step="Use LD_LIBRARY_PATH instead.",
    )  # fmt: skip


def _log_line() -> Evidence:
    return Evidence(text="inference compute id=cpu library=cpu", pane="logs", key="1:3", at=at(3))


def _ladder(pid: int, api: str) -> Ladder:
    rungs = [
        Rung(rung=rung, state=truth, detail=detail, reached=place <= RUNGS.index("reachable"))
        for place, (rung, truth, detail) in enumerate(zip(RUNGS, TRUTHS, DETAILS, strict=True))
    ]
    started = at(2.0) if pid == FIRST else 0
    return Ladder(api=api, pid=pid, started=started, provider=SHIM_PATH, rungs=rungs, first_broken="reachable")


def _answered(app: InspectorApp) -> bool:
    """There is an answer, and it is painted."""
    return (
        app.session is not None and app.session.answer is not None and app.scheduler is not None and app.scheduler.shown
    )


@asynccontextmanager
async def running_app(
    feed: Feed,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int] = (80, 24),
    theme: str = "inspector-dark",
    settings: Settings | None = None,
) -> AsyncIterator["AppHarness"]:
    """Run the application on a feed until all of its events are shown."""
    monkeypatch.setattr(session, "draw", drawn(fixed_answer))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    app = InspectorApp(feed, settings=settings)
    app.theme = theme
    async with app.run_test(size=size) as pilot:
        ui = AppHarness(app, pilot)
        await ui.until(lambda: _answered(app))
        yield ui
    if app.session is not None:
        app.session.close()


class AppHarness:
    """An application under way and its pilot."""

    def __init__(self, app: InspectorApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def text(self) -> str:
        """The whole screen as text."""
        return plain_text(self.app)

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return self.text.splitlines()

    def line_with(self, words: str) -> str:
        """The first line that holds these words; a test fails when none does."""
        found = [line for line in self.lines if words in line]
        assert found, f"no line holds {words!r}:\n{self.text}"
        return found[0]

    @property
    def cursor(self) -> str:
        """The line under the cursor; the sign of the marked moment hides that of the cursor."""
        return self.line_with("▸") if "▸" in self.text else next(line for line in self.lines if line.startswith("◆"))

    async def press(self, *keys: str) -> None:
        """Press keys and wait until they took effect."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def filter(self, pattern: str) -> None:
        """Put a whole pattern into the open filter at once, as a paste does."""
        main = self.app.main
        assert main is not None and main.filter_bar.display
        main.filter_bar.input.value = pattern

    async def until(self, fulfilled: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for something to become true."""
        end = monotonic() + seconds
        while not fulfilled():
            assert monotonic() < end, f"waited in vain; the screen shows:\n{self.text}"
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def until_shown(self, words: str) -> None:
        """Wait until some words are on the screen."""
        await self.until(lambda: words in self.text)
