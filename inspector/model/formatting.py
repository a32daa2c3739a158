"""Names, durations, sizes and lists as people write them; target text is made harmless here."""

import errno
import signal
from collections.abc import Iterable, Sequence

from inspector.stream.text import visible

ON_GPU = {"cuda": "on the GPU (CUDA)", "rocm": "on the GPU (ROCm)", "vulkan": "on the GPU (Vulkan)",
          "opencl": "on the GPU (OpenCL)"}  # fmt: skip
"""What each verdict that names a GPU says."""


def name_of(path: str) -> str:
    """The last part of a path, harmless."""
    return visible(path.rstrip("/").rsplit("/", 1)[-1]) or visible(path)


def duration(nanoseconds: int) -> str:
    """`302 ms`, `29.9 s`, `6 min`, `3 h`: as exact as the eye needs."""
    seconds = abs(nanoseconds) / 1e9
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def size(count: float) -> str:
    """`80 GiB`, `0 B`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"


def plural(count: int, word: str) -> str:
    """`1 call`, `12 calls`, `1,912 opens`."""
    if count != 1:
        if word.endswith("y") and word[-2] not in "aeiou":
            word = word[:-1] + "ies"
        else:
            word += "es" if word.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{count:,} {word}"


def upper_first(words: str) -> str:
    """The words as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def listed(items: Iterable[str], most: int = 4) -> str:
    """`a, b, c and 5 more`."""
    names = list(dict.fromkeys(items))
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def signal_name(number: int) -> str:
    """`SIGSEGV`; the number where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def errno_name(number: int) -> str:
    """`EACCES`; the number where it has no name."""
    return errno.errorcode.get(number, f"errno {number}")


def command(argv: Sequence[str], width: int = 60) -> str:
    """A command line, harmless and cut to `width` characters."""
    text = visible(" ".join(argv))
    return text if len(text) <= width else text[: width - 1] + "…"


def stem(path: str) -> str:
    """`libcuda` for `/usr/lib/libcuda.so.1`: a library whatever its version."""
    return name_of(path).partition(".so")[0]
