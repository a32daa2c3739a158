"""The processor of this machine."""

import platform
from typing import Final

from .arm64 import ARM64
from .processor import Processor
from .x86 import X86

HERE: Final[Processor] = ARM64 if platform.machine() == ARM64.name else X86
"""For one that is not known x86-64 is assumed: nothing is loaded there that this decides about."""
