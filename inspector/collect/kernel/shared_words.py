"""64-bit words in memory that the kernel reads and writes at the same time: each access is one load or store."""

import mmap


class SharedWords:
    """Words of a mapping; `struct` would read and write them byte by byte, and so tear them."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._view = memoryview(memory)
        usable = len(memory) & ~7
        self._words = self._view[:usable].cast("Q")

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index] = value

    def close(self) -> None:
        """Close the mapping."""
        self._words.release()
        self._view.release()
        self._memory.close()
