"""Frames of compiled code: from a copy of the stack to files and functions, by the files that were mapped."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from inspector.stream.stacks import CodeFrame
from inspector.stream.text import decode

from ...elf.eh_frame import FunctionRanges
from ...elf.file import ElfError, ElfFile
from ...elf.function_names import FunctionNames
from ...elf.unwinding import ARM64, NO_ROOM, UNKNOWN_REGISTER, X86_64, Row, StackCopy, callers, row_at
from ...kernel import registers
from ...kernel.records import StackCopied
from ..libraries.addresses import CodeRange
from ..libraries.library_summaries import same_file

MOST_FRAMES = 48
_NEAR = 4 << 10
"""Bytes of the stack in which the frame of the function is that calls the C library."""
_FILES_KEPT = 24
_HERE = X86_64 if registers.HERE is registers.X86_64 else ARM64
_REGISTERS = (_HERE.stack_pointer, _HERE.frame_pointer, *_HERE.others)


class _File(msgspec.Struct):
    """An open file with its tables."""

    elf: ElfFile
    ranges: FunctionRanges
    names: FunctionNames | None = None


Find = Callable[[int], CodeRange | None]
"""What lies at an address of the process."""


class NativeFrames:
    """Keeps files open that were asked about; belongs to one thread."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, _File | None] = OrderedDict()

    def of(self, record: StackCopied, find: Find, *, at_boundary: bool) -> tuple[list[CodeFrame], str]:
        """The innermost first, and why there are no more.

        `at_boundary`: the thread is at the first or last instruction of a function, which is not among them.
        """
        return self._unwound(record.registers, record.stack, find, at_boundary=at_boundary)

    def running(
        self, registers_there: Sequence[int], copied: bytes, places: Sequence[CodeRange]
    ) -> tuple[list[CodeFrame], str]:
        """The same of a thread that was on a processor at that moment."""
        return self._unwound(registers_there, copied, lambda address: _holding(places, address), at_boundary=False)

    def _unwound(
        self, registers_there: Sequence[int], copied: bytes, find: Find, *, at_boundary: bool
    ) -> tuple[list[CodeFrame], str]:
        pc, *rest = registers_there
        saved = dict(zip(_REGISTERS, rest, strict=True))
        stack = StackCopy(saved[_HERE.stack_pointer], copied)
        if at_boundary:
            back, saved = _HERE.returned(saved, stack)
            if not back:
                return [], "the stack could not be copied"
            pc = back

        def rows(address: int, returned: bool) -> Row | str:
            return self._row(find(address), address - (returned or at_boundary))

        above, end = callers(pc, saved, stack, rows, most=MOST_FRAMES, convention=_HERE)
        return self._frames(pc, above, find, at_boundary=at_boundary), end

    def waiting(self, pc: int, sp: int, stack: bytes, places: Sequence[CodeRange]) -> tuple[list[CodeFrame], str]:
        """The same of a thread in a system call, of which only these two registers are known.

        Where a function on the way needs its frame pointer, the lowest place on the stack is taken that looks like the
        end of its frame and leads from caller to caller up to where the thread began.
        """
        copy = StackCopy(sp, stack)

        def find(address: int) -> CodeRange | None:
            return _holding(places, address)

        def rows(address: int, returned: bool) -> Row | str:
            return self._row(find(address), address - returned)

        known = {_HERE.stack_pointer: sp}
        above, end = callers(pc, known, copy, rows, most=MOST_FRAMES, convention=_HERE)
        if end == UNKNOWN_REGISTER:
            for pointer in self._frame_ends(sp, copy, len(stack), find):
                more = known | {_HERE.frame_pointer: pointer}
                longer, its_end = callers(pc, more, copy, rows, most=MOST_FRAMES, convention=_HERE)
                if its_end in ("", NO_ROOM) and len(longer) > len(above):
                    above, end = longer, its_end
                    break
        return self._frames(pc, above, find, at_boundary=False), end

    def _frame_ends(self, sp: int, stack: StackCopy, size: int, find: Find) -> Iterator[int]:
        """Where a frame pointer could point: at an older frame pointer with a return address above it."""
        for place in range(sp, sp + min(size, _NEAR), 8):
            older, back = stack.word(place), stack.word(place + 8)
            if older is None or back is None or not (older == 0 or older > place):
                continue
            if (where := find(back)) is not None and where.file:
                yield place

    def _frames(self, pc: int, above: list[int], find: Find, *, at_boundary: bool) -> list[CodeFrame]:
        returned = [at_boundary] + [True] * len(above)
        places = zip([pc, *above], returned, strict=True)
        return [self._frame(find(address), address, back) for address, back in places]

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            if file is not None:
                file.elf.close()
        self._files.clear()

    def _row(self, place: CodeRange | None, address: int) -> Row | str:
        if place is None:
            return "unknown code lies there"
        file = self._file(place)
        if file is None:
            return f"{place.path} is not a readable file"
        try:
            row = row_at(file.ranges, _link_time(file.elf, place, address))
        except ElfError as error:
            return f"{place.path} cannot be read there: {error}"
        return row if row is not None else f"{place.path} has no table for unwinding there"

    def _frame(self, place: CodeRange | None, address: int, returned: bool) -> CodeFrame:
        if place is None:
            return CodeFrame(path="?")
        file = self._file(place)
        offset = address - place.start + place.offset
        if file is None:
            return CodeFrame(path=place.path, offset=offset)
        if file.names is None:
            file.names = FunctionNames(file.elf)
        at = _link_time(file.elf, place, address)
        function = file.names.at(at - returned)
        if function is not None:
            return CodeFrame(path=place.path, symbol=decode(function.name), offset=at - function.begin)
        return CodeFrame(path=place.path, offset=offset)

    def _file(self, place: CodeRange) -> _File | None:
        if not place.file:
            return None
        if place.file not in self._files:
            if len(self._files) >= _FILES_KEPT:
                _, oldest = self._files.popitem(last=False)
                if oldest is not None:
                    oldest.elf.close()
            self._files[place.file] = _open(place)
        self._files.move_to_end(place.file)
        return self._files[place.file]


def _holding(places: Sequence[CodeRange], address: int) -> CodeRange | None:
    return next((place for place in places if place.holds(address)), None)


def _open(place: CodeRange) -> _File | None:
    """By the mapping itself, or by its path when its process is gone; never another file of that name."""
    for path in (place.open_path, place.path.encode("utf-8", "surrogateescape")):
        try:
            elf = ElfFile(path)
        except (ElfError, ValueError):
            continue
        if same_file(elf.identity, place.file):
            with suppress(ElfError):
                return _File(elf, FunctionRanges(elf))
        elf.close()
    return None


def _link_time(elf: ElfFile, place: CodeRange, address: int) -> int:
    return elf.address_of(address - place.start + place.offset)
