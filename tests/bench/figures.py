"""One measured figure, the table of all of them, and the same as JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured: ours, the peer's in the same run, and the budget."""

    what: str
    ours: float
    unit: str
    budget: float | None = None
    """Upper bound in `unit`; lower bound when `more_is_better`."""
    peer: str = ""
    peer_value: float | None = None
    ratio_budget: float | None = None
    """Upper bound of ours / peer, where the budget is a ratio."""
    more_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """ours / peer."""
        return self.ours / self.peer_value if self.peer_value else None

    @property
    def met(self) -> bool | None:
        """Whether every budget that was set is met; None when none was."""
        verdicts: list[bool] = []
        if self.budget is not None:
            verdicts.append(self.ours >= self.budget if self.more_is_better else self.ours <= self.budget)
        if self.ratio_budget is not None and self.ratio is not None:
            verdicts.append(self.ratio <= self.ratio_budget)
        return all(verdicts) if verdicts else None


@dataclass(frozen=True)
class Measurement:
    """A function that measures; `area` groups and selects."""

    area: str
    run: Callable[[], list[Figure]]


def number(value: float | None) -> str:
    """Three significant digits, thousands marked."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(figures: list[Figure]) -> str:
    """All figures as an aligned text table."""
    rows = [("what", "ours", "unit", "peer", "peer's", "ratio", "budget", "met")]
    for figure in figures:
        budget = number(figure.budget)
        if figure.ratio_budget is not None:
            budget = (budget + " and " if budget else "") + f"{figure.ratio_budget:g} x peer"
        met = {True: "yes", False: "NO", None: ""}[figure.met]
        rows.append(
            (
                figure.what, number(figure.ours), figure.unit, figure.peer, number(figure.peer_value),
                number(figure.ratio), budget, met,
            )
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(8)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"{figure.what}: {figure.note}" for figure in figures if figure.note]
    return "\n".join(lines + (["", *notes] if notes else []))


def write_json(figures: list[Figure], path: Path) -> None:
    """The same, for machines."""
    rows = [msgspec.to_builtins(figure) | {"ratio": figure.ratio, "met": figure.met} for figure in figures]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1))
