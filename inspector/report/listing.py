"""The processes that `inspector list` shows, as lines or JSON."""

from collections.abc import Iterable

import msgspec

from inspector.stream.own_command import runnable
from inspector.stream.processes import ProcessListed
from inspector.stream.text import visible

from .layout import AnsiStyle, Table
from .short_text import command, file_name


def interesting(rows: Iterable[ProcessListed]) -> list[ProcessListed]:
    """Processes with GPU libraries or preloads, or that a profile knows; those that map an API first."""
    chosen = [row for row in rows if row.apis or row.preloads or row.known_program]
    return sorted(chosen, key=lambda row: (not row.apis, not row.preloads, row.pid))


def as_json(rows: list[ProcessListed]) -> bytes:
    """One JSON array."""
    plain = [{key: value for key, value in msgspec.structs.asdict(row).items() if key != "at"} for row in rows]
    return msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"


def as_text(rows: list[ProcessListed], *, width: int, colour: bool) -> str:
    """A table and what to do next."""
    called = runnable("inspector")
    if not rows:
        return (
            "No process here maps a GPU library, has a preload or is known to a profile.\n"
            f"All processes: {called} list --all.  To see one from its first instruction: {called} --wait NAME\n"
        )
    ansi_style, table = AnsiStyle(colour), Table(("PID", "observable", "APIs", "program"), numbers=(0,))
    for row in rows:
        table.add(str(row.pid), row.observable, " ".join(row.apis) or "-", _program(row))
    lines = table.lines(width, ansi_style, indent="")
    hindered = [row for row in rows if row.observable != "yes" and row.why]
    lines += ["", *(f"PID {row.pid}: {visible(runnable(row.why))}" for row in hindered[:5])] if hindered else []
    lines += ["", f"Next: {called} {rows[0].pid}    or without a screen: {called} report {rows[0].pid}"]
    return "\n".join(lines) + "\n"


def _program(row: ProcessListed) -> str:
    place = row.unit or row.container
    parts = [
        command(row.argv) or file_name(row.exe),
        f"[{place}]" if place else "",
        f"preload: {' '.join(row.preloads)}" if row.preloads else "",
    ]
    return visible("  ".join(part for part in parts if part))
