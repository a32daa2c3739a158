"""A crash that looking at the program may have brought about: copied code with the byte of a probe in it."""

from inspector.model.formatting import listed, name_of
from inspector.model.start_again import waited_for
from inspector.model.state import Process, State
from inspector.stream.processes import SignalDelivered

_SIGTRAP = 5
_FARTHEST = 16
"""Bytes behind the entry of a function in which its probe may be: `endbr64` and a nop come before it."""
WITHOUT_PROBES = "look at it without probes: if it goes on then, it was the look that ended it"


def copied_probe(state: State, process: Process, signal: SignalDelivered | None) -> str:
    """That a trap in copied code may be ours, in words; empty where it is not, or nothing there was counted.

    The copy lies outside of any file, or in the very place of the original (code that was moved to huge pages).
    """
    if signal is None or signal.signal != _SIGTRAP or signal.si_code <= 0:
        return ""
    counted = {function.file for function in state.functions.values()}
    mapped = [one for one in process.libraries.values() if one.file in counted]
    if signal.library is not None:
        mapped = [one for one in mapped if one.path == signal.library and _is_behind_a_probe(state, one.file, signal)]
    names = [name_of(one.path) for one in mapped]
    if not names:
        return ""
    return (
        f"Perhaps by us: functions of {listed(dict.fromkeys(names), 3)} are counted by one changed byte in each, and a "
        "program that copies such code and runs the copy (a hook that moves the beginning of a function, code that is "
        "moved to huge pages) ends by it."
    )


def _is_behind_a_probe(state: State, file: str, signal: SignalDelivered) -> bool:
    """Whether what trapped is where a counted function is probed: near its entry, or at one of its exits."""
    found = [one for one in state.functions.values() if one.file == file and signal.symbol in (one.name, *one.aliases)]
    image = state.images.get(file)
    starts = [each.address for each in image.exports if each.name == signal.symbol] if image is not None else []
    place = signal.offset - 1
    return bool(found) and (
        0 <= place <= _FARTHEST or any(start + place in one.exits for start in starts for one in found)
    )


def without_probes(process: Process) -> str:
    """The command that looks at the next start and leaves its code as it is."""
    return waited_for(process).replace("inspector ", "inspector --no-count ", 1)
