"""inspector: why is the process still on the CPU although its GPU shim is loaded?"""

__version__ = "0.1.0"
