"""Rounds, medians, ratios, and the table of them."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence

from attrs import field, frozen


@frozen(kw_only=True)
class Figure:
    """One line of the table.

    Args:
        what: what was measured.
        unit: of `ours` and `theirs`.
        ours, theirs: one figure a round; `theirs` is empty where the goal is a figure, not a ratio.
        goal: what the ratio must reach, or, without a peer, what `ours` must stay below.
        aim: what it should reach.
        smaller: the smaller figure is the better one, so that the ratio is that of theirs to ours.
    """

    what: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float] = field(factory=tuple)
    goal: float
    aim: float | None = None
    smaller: bool = False

    @property
    def ratio(self) -> float:
        """Of the medians: how many times better ours is."""
        ratio = statistics.median(self.ours) / statistics.median(self.theirs)
        return 1 / ratio if self.smaller else ratio

    @property
    def reached(self) -> bool:
        """True if the goal is met."""
        return self.ratio >= self.goal if self.theirs else statistics.median(self.ours) < self.goal

    def row(self) -> tuple[str, ...]:
        """The cells of its line."""
        verdict = "reached" if self.reached else "MISSED"
        if not self.theirs:
            return (self.what, _spread(self.ours, self.unit), "", "", f"< {self.goal:g}", verdict)
        goal = f">= {self.goal:g}" + (f" (aim {self.aim:g})" if self.aim else "")
        return (
            self.what,
            _spread(self.ours, self.unit),
            _spread(self.theirs, self.unit),
            f"{self.ratio:.1f}",
            goal,
            verdict,
        )


def _spread(values: Sequence[float], unit: str) -> str:
    median, low, high = statistics.median(values), min(values), max(values)
    digits = 0 if median >= 100 else 1
    return f"{median:.{digits}f} {unit} ({low:.{digits}f}-{high:.{digits}f})"


def interleaved(
    rounds: int,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    tell: Callable[[str], None],
    *,
    catch_up: Callable[[], None] = lambda: None,
) -> tuple[list[float], list[float]]:
    """Measure both in every round, and change who goes first; what one leaves behind is settled before the other.

    Args:
        catch_up: does, or waits for, what a side put off.
    """
    our_figures: list[float] = []
    their_figures: list[float] = []
    for number in range(rounds):
        turns = [(ours, our_figures), (theirs, their_figures)]
        for measure, figures in turns if number % 2 == 0 else reversed(turns):
            catch_up()
            os.sync()
            time.sleep(_SETTLE)
            figures.append(measure())
        tell(f"  round {number + 1}: {our_figures[-1]:.1f} against {their_figures[-1]:.1f}")
    return our_figures, their_figures


_SETTLE = 1.0
HEADINGS = ("what", "WorldMail: median (range)", "peer: median (range)", "ratio", "goal", "")


def table(figures: Sequence[Figure]) -> str:
    """In Markdown."""
    rows = [HEADINGS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
