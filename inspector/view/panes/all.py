"""The panes in the order of their keys 1 to 6."""

from inspector.model.state import State
from inspector.view.tables.gpu import gpu
from inspector.view.tables.libraries import libraries
from inspector.view.tables.processes import processes

from .logs import LogsPane
from .pane import Asker, ListPane, Pane
from .symbols import SymbolsPane
from .timeline import TimelinePane


def _files(state: State) -> int:
    """How many different files are mapped."""
    return len({library.file for process in state.processes for library in process.libraries.values()})


def all_panes(asker: Asker) -> list[Pane]:
    """Fresh panes that send their requests through `asker`."""
    return [
        ListPane(
            "processes", "Processes", ("processes", "vitals", "answer"), processes,
            count=lambda state: len(state.processes),
            foldable=True,
            hints=(("o", "only this process"), ("← →", "fold"), ("s", "sort, columns"), ("O", "all processes")),
        ),
        ListPane(
            "libraries", "Libraries", ("libraries", "processes", "answer"), libraries,
            count=_files,
            foldable=True,
            hints=(("o", "its symbols"), ("p", "predict a load"), ("s", "sort, columns"), ("O", "all processes")),
        ),
        SymbolsPane(asker),
        TimelinePane(),
        LogsPane(asker),
        ListPane(
            "gpu", "GPU", ("gpu", "calls", "symbols", "processes", "answer"), lambda context, _: gpu(context),
            ticks=True,
            hints=(("Enter", "details"), ("e", "next error")),
        ),
    ]  # fmt: skip
