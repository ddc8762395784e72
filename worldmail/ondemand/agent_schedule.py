"""When an agent runs next. Pure.

It runs when its timetable says. What was missed, while no server ran or the last run went on, is made up for once,
unless the hours are over by now. After a run that failed it tries again after a pause, twice as long each time, within
the hours of its timetable and until that has its next turn.
"""

from __future__ import annotations

from attrs import define, field

from worldmail.interfaces.ondemand import Agent
from worldmail.ondemand.timetable import Timetable

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 1800.0
"""Seconds from the end of a run that failed to the next try: after the first failure, and at most."""

JITTER = 10.0
"""Seconds that a run may be late by chance, so that not all sites of a relay come in the same moment; at most a tenth
of the time until the next one."""


def pause_after(failures: int) -> float:
    """Seconds until the next try, after so many that failed one after another."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 20))


def due_after(table: Timetable, last: float, now: float, failures: int = 0, ended: float = 0.0) -> float | None:
    """When it is due; None if never. All moments are epoch seconds.

    Args:
        last: when it ran last, or from when on it is counted.
        failures: how many runs failed since one went well, or stood, the last of which ended at `ended`.
    """
    at: float | None = table.next(last)
    if at is not None and at <= now:
        # A moment opens nothing and may be made up for at any time.
        at = now if table.is_open(now) or not table.is_open(at) else table.next(now)
    if not failures:
        return at
    again = max(now, ended + pause_after(failures))
    if (at is None or again < at) and _may_try(table, again):
        return again
    return at


def _may_try(table: Timetable, at: float) -> bool:
    return table.is_open(at) or any(span.start == span.end for entry in table.entries for span in entry.spans)


@define(kw_only=True)
class Plan:
    """One agent, and where it stands in its timetable.

    Attributes:
        last, failures, ended: see `due_after`.
        due: when it runs next, chance included; None if it does not by itself.
        next: the same without chance, for people.
    """

    agent: Agent
    last: float
    failures: int = 0
    ended: float = 0.0
    due: float | None = field(default=None, init=False)
    next: float | None = field(default=None, init=False)

    def follow(self, agent: Agent, since: float) -> None:
        """It has other keys now. What its old timetable missed is not the new one's, which counts `since` then."""
        if _timing(agent) != _timing(self.agent):
            self.last = since
            self.due = self.next = None
        self.agent = agent

    def look(self, now: float, chance: float) -> None:
        """See when it is due.

        Args:
            chance: from 0 to 1.
        """
        if not self.agent.enabled:
            self.due = self.next = None
            return
        if self.due is not None:
            return
        table = Timetable.parse(self.agent.when)
        self.next = at = due_after(table, self.last, now, self.failures, self.ended)
        self.due = None if at is None else at + chance * _jitter(table, at)

    def clock_went_back(self, now: float) -> None:
        """What lies ahead of it now has not happened."""
        self.last, self.ended = min(self.last, now), min(self.ended, now)
        self.due = self.next = None

    def is_due(self, now: float) -> bool:
        """Is it to run now?"""
        return self.due is not None and self.due <= now

    def began(self, now: float) -> None:
        """It runs, or would have: this turn is over."""
        self.last = now
        self.due = self.next = None

    def over(self, now: float, *, ok: bool) -> None:
        """The run is over."""
        self.ended = now
        self.failures = 0 if ok else self.failures + 1
        self.due = self.next = None


def _timing(agent: Agent) -> tuple[str, bool, bool]:
    """What of it tells when it runs; where a connection is to stay open, at once if there is none."""
    return agent.when, agent.enabled, bool(agent.values.get("stay"))


def _jitter(table: Timetable, at: float) -> float:
    after = table.next(at)
    return JITTER if after is None else min(JITTER, (after - at) / 10)
