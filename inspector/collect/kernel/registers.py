"""Where the kernel keeps a thread's user registers, on each processor whose registers our programs read.

Offsets in struct pt_regs: arch/x86/include/asm/ptrace.h, arch/arm64/include/asm/ptrace.h.
"""

import platform
from typing import Final

import msgspec


class Registers(msgspec.Struct, frozen=True):
    """Offsets in struct pt_regs of one processor."""

    ip: int
    sp: int
    result: int
    """Of a function, at its return."""
    arguments: tuple[int, ...]
    """The first six integer arguments of a function."""
    link: int | None
    """Return address at the entry and at the return of a function; None where it lies at the stack pointer."""
    call: int
    """Number of the system call that the thread is in."""
    call_size: int
    """Bytes of that number."""
    call_arguments: tuple[int, ...]
    """The six arguments of a system call, also when it has ended."""
    mode: int
    """A word that tells 64-bit programs from others."""
    mode_mask: int
    mode_64: int
    """What the word holds under the mask in a 64-bit program."""
    unwinding: tuple[int, ...]
    """Instruction, stack and frame pointer, and five of those by which callers are found (`elf/unwinding.py`)."""
    size: int
    """Of struct pt_regs."""
    call_prefix: str
    """What the names of the kernel's functions for system calls begin with."""


X86_64: Final = Registers(
    ip=128, sp=152, result=80, arguments=(112, 104, 96, 88, 72, 64), link=None,
    call=120, call_size=8, call_arguments=(112, 104, 96, 56, 72, 64),
    mode=136, mode_mask=0xFFFF, mode_64=0x33,  # the code segment
    unwinding=(128, 152, 32, 40, 24, 16, 8, 0), size=168, call_prefix="__x64_sys_",
)  # fmt: skip
ARM64: Final = Registers(
    ip=256, sp=248, result=0, arguments=(0, 8, 16, 24, 32, 40), link=240,
    call=280, call_size=4, call_arguments=(272, 8, 16, 24, 32, 40),  # the first one is kept apart (orig_x0)
    mode=264, mode_mask=0x10, mode_64=0,  # PSR_MODE32_BIT
    unwinding=(256, 248, 232, 240, 152, 160, 168, 176), size=336, call_prefix="__arm64_sys_",
)  # fmt: skip
_BY_MACHINE: Final = {"x86_64": X86_64, "aarch64": ARM64}
KNOWN: Final = platform.machine() in _BY_MACHINE
"""Whether our programs can read the registers of this machine's processor."""
HERE: Final = _BY_MACHINE.get(platform.machine(), X86_64)
"""This machine's; those of x86-64 where none are known, and no program is loaded."""
OTHER_PROCESSOR: Final = "frames of Python are copied on x86-64 only so far"
"""Why they are missing elsewhere."""
ADDRESS_MASK: Final = (1 << 48) - 1
"""On arm64 a return address may be signed in its upper bits, and is not any more at the return."""
