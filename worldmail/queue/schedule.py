"""When to try again, when to give up. Pure."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve

from worldmail.interfaces.queue import Route

SPREAD = 0.2
"""The part of an interval that is left to chance, so that what failed together does not come back together."""


@define(kw_only=True)
class Schedule:
    """Times in seconds (RFC 5321 §4.5.4.1: at least 30 minutes between tries later on, 4 to 5 days in all).

    One for all who go by it: it may be changed while they do.

    Args:
        first: between the first and the second attempt; each next interval is twice as long.
        longest: the longest interval.
        lifetime: from acceptance until a message is given up.
        warn: from acceptance until its sender is told of the delay; 0 for never.
        random: a number in [0, 1).
    """

    first: float
    longest: float
    lifetime: float
    warn: float
    random: Callable[[], float]

    def follow(self, other: Schedule) -> None:
        """Have its times from now on."""
        self.first, self.longest, self.lifetime, self.warn = other.first, other.longest, other.lifetime, other.warn

    def interval(self, attempts: int) -> int:
        """Seconds from a failed attempt to the next: `attempts` were made, 1 at least."""
        seconds = min(self.longest, self.first * 2.0 ** min(attempts - 1, 30))
        return int(max(1.0, seconds * (1 - SPREAD / 2 + SPREAD * self.random())))

    def look(self, accepted: int, expires: int, *, warned: bool) -> int:
        """When a waiting recipient is to be looked at next: to be given up, or for a warning before that."""
        if warned or not self.warn:
            return expires
        return min(expires, accepted + round(self.warn))


def schedule_of(schedule: Schedule, route: Route) -> Schedule:
    """The same with the times of the route's hold."""
    hold = route.hold
    return schedule if hold is None else evolve(schedule, lifetime=hold.keep, warn=hold.tell)
