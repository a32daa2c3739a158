"""A crash that looking at the program may have brought about: copied code with the byte of a probe in it."""

from inspector.model.formatting import listed, name_of
from inspector.model.start_again import waited_for
from inspector.model.state import Process, State
from inspector.stream.processes import SignalDelivered

_SIGTRAP = 5
WITHOUT_PROBES = "look at it without probes: if it goes on then, it was the look that ended it"


def copied_probe(state: State, process: Process, signal: SignalDelivered | None) -> str:
    """That a trap outside of any file may be ours, in words; empty where it is not, or nothing there was counted."""
    if signal is None or signal.signal != _SIGTRAP or signal.si_code <= 0 or signal.library is not None:
        return ""
    counted = {function.file for function in state.functions.values()}
    names = [name_of(one.path) for one in process.libraries.values() if one.file in counted]
    if not names:
        return ""
    return (
        f"Perhaps by us: functions of {listed(dict.fromkeys(names), 3)} are counted by one changed byte in each, and a "
        "program that copies such code and runs the copy (a hook that moves the beginning of a function) ends by it."
    )


def without_probes(process: Process) -> str:
    """The command that looks at the next start and leaves its code as it is."""
    return waited_for(process).replace("inspector ", "inspector --no-count ", 1)
