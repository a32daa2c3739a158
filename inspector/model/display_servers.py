"""Which display servers (X, Wayland) a program asked in vain."""

import re

from inspector.stream.syscalls import SystemCallRefused

from .state import Process

_SOCKET = re.compile(r"^unix:@?/tmp/\.X11-unix/X\d+$|^unix:.*/wayland-[\w.-]+$|^(?:127\.0\.0\.1|\[?::1\]?):60\d\d$")
"""Where X servers and Wayland compositors listen; X by TCP from port 6000 on."""


def refused_display(process: Process) -> SystemCallRefused | None:
    """The last display server that did not answer, a path before a port."""
    refused = [one for one in process.refused_calls if one.call == "connect" and _SOCKET.match(one.subject)]
    return max(refused, key=lambda one: (one.subject.startswith("unix:/"), one.at), default=None)
