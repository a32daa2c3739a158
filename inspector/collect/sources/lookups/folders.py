"""Which folders are places of libraries: that one was opened or listed tells that somebody searched it."""

import re

_FOLDER = re.compile(rb"/(lib|cuda|rocm|hip|vulkan|OpenCL|ollama|ggml|nvidia)[^/]*(/|$)")


def is_library_folder(path: bytes) -> bool:
    """Whether a folder is, by its path, one where plug-ins and drivers are looked for."""
    return _FOLDER.search(path) is not None
