"""The life of a link as a table, and when it is to be up. Pure.

                 WANTED            RAISED            UNWANTED, LOST
    DOWN  ───────────────► RISING ────────► UP ──────────────────────┐
      ▲                      │ FAILED                                ▼
      └──────────────────────┴───────────────────────────────► FALLING
                                LOWERED

Whatever was begun is taken down by its command, also what began in vain.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

from attrs import evolve, frozen

from worldmail.interfaces.ondemand import LinkKind, LinkState
from worldmail.ondemand.timetable import Entry, Timetable

FIRST_REST, LONGEST_REST = 30.0, 1800.0
"""Seconds until it is tried again after the first failure, twice as long after each further one, up to the longest."""


class Phase(enum.Enum):
    """Where a link is in its life."""

    DOWN = "down"
    RISING = "rising"
    UP = "up"
    FALLING = "falling"

    @property
    def state(self) -> LinkState:
        """As others see it: nothing goes over a link that is about to go down."""
        return LinkState.DOWN if self is Phase.FALLING else LinkState(self.value)


class Event(enum.Enum):
    """What happens to a link."""

    WANTED = "wanted"  # there is a reason to bring it up
    RAISED = "raised"  # it is there
    FAILED = "failed"  # it could not be brought up
    UNWANTED = "unwanted"  # there is none any more
    LOST = "lost"  # its probe does not find it any more
    LOWERED = "lowered"  # it is gone


TABLE: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.DOWN, Event.WANTED): Phase.RISING,
    (Phase.RISING, Event.RAISED): Phase.UP,
    (Phase.RISING, Event.FAILED): Phase.FALLING,
    (Phase.UP, Event.UNWANTED): Phase.FALLING,
    (Phase.UP, Event.LOST): Phase.FALLING,
    (Phase.FALLING, Event.LOWERED): Phase.DOWN,
}


def after(phase: Phase, event: Event) -> Phase | None:
    """Where the event leads; None if it means nothing there."""
    return TABLE.get((phase, event))


@frozen(kw_only=True)
class Hours:
    """What a timetable says of a moment.

    Args:
        open: it lies in a span, so that the link may be up.
        stays: it lies in a span for all of which the link is up.
        next: when the link is brought up next, whatever there is to do; None if never.
    """

    open: bool
    stays: bool
    next: int | None


def hours_of(kind: LinkKind, when: Timetable, now: float) -> Hours:
    """What its timetable says of a link now."""
    if kind is LinkKind.ALWAYS:
        return Hours(open=True, stays=True, next=None)
    stays = kind is LinkKind.WINDOWS and _of(when, lambda entry: not entry.every).is_open(now)
    moments = _of(when, lambda entry: bool(entry.every) or any(span.start == span.end for span in entry.spans))
    return Hours(open=when.is_open(now), stays=stays, next=moments.next(now))


def _of(when: Timetable, chosen: Callable[[Entry], bool]) -> Timetable:
    return evolve(when, entries=tuple([entry for entry in when.entries if chosen(entry)]))


@frozen(kw_only=True)
class Reasons:
    """Why a link is to be up or not.

    Args:
        hours: see there.
        held: an administrator took it down.
        called: its timetable or an administrator wants it up, until there is nothing left to do.
        work: mail waits that may go, or is under way; an agent runs, or wants to.
        quiet: seconds since there was work, or since it came up.
        idle: seconds of quiet after which it goes down.
    """

    hours: Hours
    held: bool
    called: bool
    work: bool
    quiet: float
    idle: float


def is_wanted(kind: LinkKind, phase: Phase, why: Reasons) -> bool:
    """Is it to be up?"""
    if why.held:
        return False
    busy = why.work or (phase is Phase.UP and why.quiet < why.idle)
    if why.hours.stays or (why.called and (phase is not Phase.UP or busy)):
        return True
    return kind is not LinkKind.WINDOWS and why.hours.open and busy


def rest_after(failures: int) -> float:
    """Seconds until the next try, after so many that failed one after another."""
    return min(LONGEST_REST, FIRST_REST * 2.0 ** min(failures - 1, 10))
