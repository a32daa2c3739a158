"""One measured figure, the table of all of them, and the same as JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured: ours, the peer's in the same run, and the budget."""

    what: str
    ours: float | None
    """None: it could not be measured, and `note` says why."""
    unit: str = ""
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
        return self.ours / self.peer_value if self.peer_value and self.ours is not None else None

    @property
    def met(self) -> bool | None:
        """Whether every budget that was set is met; None when none was, or when nothing could be measured."""
        if self.ours is None:
            return None
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


def attempt(measurement: Measurement) -> list[Figure]:
    """The figures of a measurement; one that fails becomes a figure without a value that says why."""
    try:
        return measurement.run()
    except Exception as error:
        what = measurement.run.__name__.replace("_", " ")
        return [Figure(what=what, ours=None, note=f"not measured: {type(error).__name__}: {error}")]


def number(value: float | None) -> str:
    """Three significant digits, thousands marked."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


_HEAD = ("what", "ours", "unit", "peer", "peer's", "ratio", "budget", "met")


def table(figures: list[Figure]) -> str:
    """All figures as an aligned text table, notes below it."""
    rows = [_HEAD, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"{figure.what}: {figure.note}" for figure in figures if figure.note]
    return "\n".join(lines + (["", *notes] if notes else []))


def _row(figure: Figure) -> tuple[str, ...]:
    budget = (">= " if figure.more_is_better else "") + number(figure.budget) if figure.budget is not None else ""
    if figure.ratio_budget is not None:
        budget += (" and " if budget else "") + f"{figure.ratio_budget:g} x peer"
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    ours = number(figure.ours) or "-"
    return (
        figure.what, ours, figure.unit, figure.peer, number(figure.peer_value), number(figure.ratio), budget, met,
    )  # fmt: skip


def write_json(figures: list[Figure], path: Path) -> None:
    """The same, for machines."""
    rows = [msgspec.to_builtins(figure) | {"ratio": figure.ratio, "met": figure.met} for figure in figures]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
