"""Names that a file has, but not as a consumer asks for them: hidden, or as C++ functions."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from inspector.stream.libraries import ImageRead

from . import commands_by_hand, evidence
from .state import Process, State
from .tree import libraries
from .verdict import Evidence


class NearMiss(msgspec.Struct, frozen=True):
    """One function of one file that nobody can bind to by its name."""

    name: str
    path: str
    kind: Literal["hidden", "mangled"]
    symbol: str = ""
    """For a mangled one: the C++ name."""

    @property
    def words(self) -> str:
        """What the file does with the name, behind the name of the file."""
        return self._has("it")

    @property
    def full_words(self) -> str:
        """The same where the name was not told before."""
        return self._has(self.name)

    def _has(self, what: str) -> str:
        return (
            f"has {what}, but hidden" if self.kind == "hidden" else f"has {what} only as the C++ function {self.symbol}"
        )

    @property
    def cause(self) -> str:
        """Why it is so."""
        if self.kind == "hidden":
            return (
                "The function is written and compiled; an export script or the visibility of the compiler keeps it "
                "local."
            )
        return 'The function is written and compiled, but as C++ without extern "C": its name holds its arguments.'

    @property
    def cure(self) -> str:
        """What to do."""
        if self.kind == "hidden":
            return f'export it: __attribute__((visibility("default"))), or "global: {self.name};" in the version script'
        return 'declare the API functions extern "C" and rebuild the library'


def near_misses(image: ImageRead) -> Iterator[NearMiss]:
    """All near misses of one file."""
    for export in (*image.hidden, *(export for export in image.exports if not export.visible)):
        yield NearMiss(export.name, image.path, "hidden")
    for name, symbol in image.mangled.items():
        yield NearMiss(name, image.path, "mangled", symbol)


def near_miss(state: State, process: Process, name: str) -> NearMiss | None:
    """The file in or near the process that has the name, hidden or mangled; None when there is none."""
    files = [library.file for library in libraries(process).values()]
    files += [candidate.file for candidate in process.candidates.values()]
    images = (state.images[file] for file in files if file in state.images)
    return next((found for image in images for found in near_misses(image) if found.name == name), None)


def near_miss_row(process: Process, found: NearMiss) -> Evidence:
    """The proof, with the command that shows it."""
    by_hand = commands_by_hand.offered(process, found.path, found.name)
    return evidence.of_file(process, found.path, f"{found.name}: {found.path} {found.words}", by_hand=by_hand)
