"""Late mail: when its sender is told, and in which words (RFC 5321 §4.5.4.1, RFC 2852 §4). Pure.

A sender is told of a delay after the time that the site says, and when the time has passed that DELIVERBY named with
"N"; with "R" that time is the message's end. What a sender was `told` is kept with the recipient (`warned`).
"""

from __future__ import annotations

from worldmail.interfaces.outbound import Wishes
from worldmail.queue.schedule import Schedule

DELAYED = 1
"""Of `told`: that it is delayed."""

LATE = 2
"""Of `told`: that the time has passed by which it was to be delivered."""

EXPIRED = "4.4.7"  # RFC 3463 §3.5: delivery time expired
RETURNED = "5.4.7"  # the same, of what was to be returned then: RFC 2852 §4


def look(schedule: Schedule, wishes: Wishes, *, accepted: int, began: int, expires: int, told: int) -> int:
    """When a waiting recipient is to be looked at next: to tell its sender, or to give it up.

    Args:
        accepted: when the message came.
        began: from when on it was tried, or would have been: later, if it was to be held first.
    """
    at = schedule.look(began, expires, warned=bool(told))
    late = _late(wishes, accepted)
    return at if late is None or told & LATE else min(at, late)


def look_again(schedule: Schedule, wishes: Wishes, *, accepted: int, expires: int, told: int) -> int:
    """The same later on, when `began` follows from the end."""
    began = max(accepted, expires - round(schedule.lifetime))
    return look(schedule, wishes, accepted=accepted, began=began, expires=expires, told=told)


def told_now(wishes: Wishes, accepted: int, told: int, now: int) -> int:
    """What a sender knows who is told now."""
    late = _late(wishes, accepted)
    return told | DELAYED | (LATE if late is not None and late <= now else 0)


def end(wishes: Wishes, expires: int) -> int:
    """When a recipient that would have until `expires` is given up."""
    by = wishes.deliver_by
    return min(expires, by[0]) if by is not None and by[1] == "R" else expires


def status_at_end(wishes: Wishes, now: int) -> str:
    """The status of what is given up now."""
    by = wishes.deliver_by
    return RETURNED if by is not None and by[1] == "R" and by[0] <= now else EXPIRED


def _late(wishes: Wishes, accepted: int) -> int | None:
    """When it will be late; None for never, and if it came late: then who sent it on has told (RFC 2852 §4)."""
    by = wishes.deliver_by
    return by[0] if by is not None and by[1] == "N" and by[0] > accepted else None
