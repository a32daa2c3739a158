"""Display servers that a program which draws did not find: on a server there is none, and drivers are not to blame."""

import re
from shlex import quote

from inspector.model import evidence
from inspector.model.display_servers import refused_display
from inspector.model.evidence import short
from inspector.model.formatting import errno_name
from inspector.model.tree import program

from .context import Case
from .own_errors import last_words
from .rule import Cause, Hit

_ABOUT_DISPLAY = re.compile(
    r"\b(?:displays?|windows?|screens?|gpu context|opengl|egl|glx|glfw|xcb|x ?server|x11|wayland)\b", re.IGNORECASE
)
_PLATFORM = ("EGL_PLATFORM", "SDL_VIDEODRIVER", "SDL_VIDEO_DRIVER", "QT_QPA_PLATFORM")
_WITHOUT_DISPLAY = (
    "surfaceless",
    "device",
    "gbm",
    "drm",
    "kmsdrm",
    "dummy",
    "offscreen",
    "minimal",
    "eglfs",
    "linuxfb",
)
"""Values of these variables for which no display server is asked."""


class NoDisplay(Cause):
    id = "no-display"
    place = "returned"
    meaning = "A program that draws into a window found no display server (X, Wayland) to draw on."
    proof = "The kernel refused connect(2) to the socket of the server, or neither DISPLAY nor WAYLAND_DISPLAY is set."
    cure = "Set DISPLAY where a server runs, start one (Xvfb), or let it draw without one (EGL_PLATFORM=surfaceless)."

    def explain(self, case: Case) -> Hit | None:
        leaf, process = case.leaf, case.process
        begins = leaf.kind == "call" and leaf.family == "egl" and leaf.stage == "initialised"
        words = last_words(case)[1] if leaf.kind == "end" else ""
        gave_up = leaf.kind == "end" and leaf.code > 0 and _ABOUT_DISPLAY.search(words) is not None
        settings = case.context.environment(process) or {}
        if not (begins or gave_up) or any(settings.get(key) in _WITHOUT_DISPLAY for key in _PLATFORM):
            return None
        refused, runs = refused_display(process), program(process)
        if refused is not None:
            found = f"connect({refused.subject}) = {errno_name(refused.errno)}"
            root = f"nothing listens at {refused.subject}"
        elif runs is not None and {"DISPLAY", "WAYLAND_DISPLAY"} <= set(runs.unset):
            found = root = "neither DISPLAY nor WAYLAND_DISPLAY is set"
        else:
            return None
        told = "".join(f" {key}={settings[key]}." for key in ("DISPLAY", "WAYLAND_DISPLAY") if key in settings)
        what = f"It got nothing to draw with from {leaf.what}" if begins else f"The program says: {words[:160]}"
        again = case.rerun()
        return Hit(
            title=f"no display server for {short(process)}: {found}",
            cause=f"{what.rstrip('.')}.{told} Windows and their contexts are made on a display server.",
            next_step="set DISPLAY (or WAYLAND_DISPLAY) to a server that runs, start the program under Xvfb, or let "
            "it draw without one (EGL_PLATFORM=surfaceless, an option for off-screen work)",
            command=f"xvfb-run -a sh -c {quote(again)}" if again else "ls -l /tmp/.X11-unix",
            process=process,
            confidence="likely",
            evidence=[
                evidence.of_moment(case.state, process, refused.at, found) if refused is not None
                else evidence.of_process(process, found, at=process.started),
                *case.rows(),
            ],
            at=leaf.begin or leaf.at,
            subject=root,
            root=root,
        )  # fmt: skip


CAUSES: tuple[Cause, ...] = (NoDisplay(),)
