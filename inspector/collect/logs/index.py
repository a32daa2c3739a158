"""Where lines begin in a file of any size, without a table of all lines.

Newlines are counted per block of 64 KiB (`bytes.count`: gigabytes a second), eight bytes of index a block. A line
number becomes an offset by bisection and one block read.
"""

from array import array
from bisect import bisect_left

BLOCK = 1 << 16


class LineIndex:
    """Newlines counted per block while a file grows."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes fed so far."""
        self._totals = array("Q")
        """Newlines up to the end of each block begun so far; the last one grows."""

    @property
    def newlines(self) -> int:
        """How many newlines there are in all bytes fed."""
        return self._totals[-1] if self._totals else 0

    def feed(self, data: bytes) -> int:
        """Take the next bytes of the file in; answers how many newlines they hold."""
        before = self.newlines
        taken = 0
        while taken < len(data):
            room = BLOCK - self.size % BLOCK
            if room == BLOCK:
                self._totals.append(self.newlines)
            part = min(room, len(data) - taken)
            self._totals[-1] += data.count(b"\n", taken, taken + part)
            self.size += part
            taken += part
        return self.newlines - before

    def block_of_newline(self, ordinal: int) -> tuple[int, int]:
        """The block that holds the newline with this ordinal (from 1): its offset, newlines before it."""
        block = bisect_left(self._totals, ordinal)
        return block * BLOCK, self._totals[block - 1] if block else 0

    def block_of_offset(self, offset: int) -> tuple[int, int]:
        """The block that holds a byte: its offset, newlines before it."""
        block = offset // BLOCK
        return block * BLOCK, self._totals[block - 1] if block else 0
