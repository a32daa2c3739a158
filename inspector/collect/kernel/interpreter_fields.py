"""Where CPython keeps what names its frames, as kernel programs read it: data, which differs by version and build."""

import struct

PYTHON = struct.Struct("<QQ21I4x")
"""Addresses of the list of interpreters and of the type of code objects; then offsets, in the order of `OFFSETS`."""
OFFSETS = (
    "interpreter_next", "threads", "thread_next", "thread_id", "thread_frame", "via", "frame_code", "frame_back",
    "frame_instruction", "frame_owner", "type", "file", "name", "first_line", "line_table", "text_length", "text_state",
    "text_ascii", "text_compact", "bytes_size", "bytes_data",
)  # fmt: skip
ABSENT = 0xFFFFFFFF
