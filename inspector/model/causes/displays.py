"""Display servers that a program which draws did not find: on a server there is none, and drivers are not to blame."""

import re
from shlex import quote

from inspector.model import evidence
from inspector.model.display_servers import refused_display
from inspector.model.evidence import short
from inspector.model.formatting import errno_name
from inspector.model.tree import program
from inspector.model.verdict import Evidence

from .context import Case
from .own_errors import last_words
from .rule import Cause, Hit

_ABOUT_DISPLAY = re.compile(
    r"\b(?:displays?|windows?|screens?|gpu context|opengl|egl|glx|glfw|xcb|x ?server|x11|wayland)\b", re.IGNORECASE
)
_LACKS_DISPLAY = re.compile(
    r"\b(?:connect|connection|open|find|reach|get)\b.{0,30}\b(?:display|x server|wayland|compositor)\b"
    r"|\b(?:display|x server)\b.{0,30}\b(?:not|null|cannot|unavailable)\b",
    re.IGNORECASE,
)
_LAST_LINES = 12
"""Of a log, in which a program that falls may have said that it has no display."""
_PLATFORM = ("EGL_PLATFORM", "SDL_VIDEODRIVER", "SDL_VIDEO_DRIVER", "QT_QPA_PLATFORM")
_NEEDS_NONE = re.compile(r"surfaceless|device|gbm|drm|kmsdrm|dummy|offscreen|minimal|eglfs|linuxfb")
"""Values of these variables for which no display server is needed."""


class NoDisplay(Cause):
    id = "no-display"
    place = "returned"
    meaning = "A program that draws into a window found no display server (X, Wayland) to draw on."
    proof = "The kernel refused connect(2) to the socket of the server, or neither DISPLAY nor WAYLAND_DISPLAY is set."
    cure = "Set DISPLAY where a server runs, start one (Xvfb), or let it draw without one (EGL_PLATFORM=surfaceless)."

    def explain(self, case: Case) -> Hit | None:
        leaf, process = case.leaf, case.process
        told, lacks = _told(case), _lacks(case)
        if not told or lacks is None:
            return None
        found, root, row = lacks
        settings = case.context.environment(process) or {}
        told += "".join(f" {key}={settings[key]}." for key in ("DISPLAY", "WAYLAND_DISPLAY") if key in settings)
        again = case.rerun()
        return Hit(
            title=f"no display server for {short(process)}: {found}",
            cause=f"{told} Windows and their contexts are made on a display server.",
            next_step="set DISPLAY (or WAYLAND_DISPLAY) to a server that runs, start the program under Xvfb, or let "
            "it draw without one (EGL_PLATFORM=surfaceless, an option for off-screen work)",
            command=f"xvfb-run -a sh -c {quote(again)}" if again else "ls -l /tmp/.X11-unix",
            process=process,
            confidence="likely",
            evidence=[row, *case.rows()],
            at=leaf.begin or leaf.at,
            subject=root,
            root=root,
        )


def _told(case: Case) -> str:
    """What shows that it wanted one, as a sentence: the beginning of EGL was refused, or it says so as it ends."""
    leaf, said = case.leaf, ""
    if leaf.kind == "call" and leaf.family == "egl" and leaf.stage == "initialised":
        return f"It got nothing to draw with from {leaf.what}."
    if leaf.kind == "end" and leaf.code > 0:
        words = last_words(case)[1]
        said = words if _ABOUT_DISPLAY.search(words) else ""
    elif leaf.kind == "signal":
        lines = (line.text for source in case.state.logs.values() for line in reversed(source.lines[-_LAST_LINES:]))
        said = next((line for line in lines if _LACKS_DISPLAY.search(line)), "")
    return f"The program says: {said.strip()[:160].rstrip('.')}." if said else ""


def _lacks(case: Case) -> tuple[str, str, Evidence] | None:
    """That no server answered, or that none is named: in words, what stands behind it, and the row of it."""
    process, runs = case.process, program(case.process)
    if (refused := refused_display(process)) is not None:
        found = f"connect({refused.subject}) = {errno_name(refused.errno)}"
        row = evidence.of_moment(case.state, process, refused.at, found)
        return found, f"nothing listens at {refused.subject}", row
    settings = case.context.environment(process) or {}
    needs_none = any(_NEEDS_NONE.fullmatch(settings.get(key, "")) for key in _PLATFORM)
    if needs_none or runs is None or not {"DISPLAY", "WAYLAND_DISPLAY"} <= set(runs.unset):
        return None
    words = "neither DISPLAY nor WAYLAND_DISPLAY is set"
    return words, words, evidence.of_process(process, words, at=process.started)


CAUSES: tuple[Cause, ...] = (NoDisplay(),)
