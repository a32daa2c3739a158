"""What this machine and user allow, what is lost without it, and the exact command that grants it."""

import msgspec

from inspector.stream.own_command import runnable
from inspector.stream.session import Capability, SessionStarted
from inspector.stream.text import visible

from .layout import AnsiStyle, padded, wrapped

_ADVICE = ("boot ", "run it ", "look at ")
"""How grants begin that no shell can carry out."""
_COLOUR = {"yes": "green", "partly": "yellow", "no": "red"}


def as_text(session: SessionStarted, *, width: int, colour: bool) -> str:
    """One paragraph a capability, and a summary."""
    ansi_style = AnsiStyle(colour)
    user = "root" if session.uid == 0 else f"user id {session.uid}"
    lines = [f"{session.host}: Linux {session.kernel} {session.machine}, {user}, inspector {session.version}", ""]
    names = max((len(row.name) for row in session.capabilities), default=0)
    for row in session.capabilities:
        lines += _paragraph(row, names, width, ansi_style)
    return "\n".join([*map(str.rstrip, lines), "", *wrapped(_summary(session.capabilities), width)]) + "\n"


def as_json(session: SessionStarted) -> bytes:
    """The session's facts and capabilities as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(msgspec.structs.asdict(session)), indent=2) + b"\n"


def grants(session: SessionStarted) -> str:
    """The commands that grant what is missing, each once under what it grants, as a script to read and run by hand."""
    wanted: dict[str, list[str]] = {}
    for row in session.capabilities:
        if row.grant and (row.state != "yes" or row.lost):
            wanted.setdefault(visible(runnable(row.grant)), []).append(visible(row.name))
    told = "".join(
        f"# {', '.join(names)}\n{'# ' * command.startswith(_ADVICE)}{command}\n" for command, names in wanted.items()
    )
    return told or "# Nothing is missing that a command could grant.\n"


def _paragraph(row: Capability, names: int, width: int, ansi_style: AnsiStyle) -> list[str]:
    margin = names + 12
    head = ansi_style(padded(row.state, 6), _COLOUR[row.state])
    first, *rest = wrapped(visible(row.how), width - margin)
    lines = [f"  {head}  {padded(visible(row.name), names)}  {first}", *(" " * margin + line for line in rest)]
    for label, text in (("why", row.why), ("lost", row.lost), ("grant", runnable(row.grant))):
        if text:
            lines += wrapped(visible(text), width, " " * margin + f"{label}: ", " " * (margin + len(label) + 2))
    return lines


def _summary(capabilities: list[Capability]) -> str:
    if not capabilities:
        return "The collector reported no capabilities."
    missing = {
        word: [row.name for row in capabilities if row.state == state]
        for word, state in (("partly", "partly"), ("not", "no"))
    }
    told = "; ".join(f"{word}: {', '.join(names)}" for word, names in missing.items() if names)
    available = sum(row.state == "yes" for row in capabilities)
    if not told:
        return "All capabilities are available."
    return f"{available} of {len(capabilities)} capabilities available; {told}."
