"""A recipient's life, in one table.

    (nothing) ──accepted──► WAITING ◄──released──  HELD
        │                   │  ▲  └──────held──────►▲
        └─accepted─┐ leased │  │ deferred, returned,│ held (asked for while it was tried)
                   ▼        ▼  │ reclaimed          │
                          LEASED ───────────────────┘
                            │ delivered, failed
                            ▼
                        (nothing: the trace tells what became of it)

Who waits or is held may also expire, be leased to somebody who fetches it, and be removed or redirected by an
administrator. A lease belongs to a
runner, and a runner is alive as long as it holds the lock of its id: nothing else can end a lease.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from worldmail.interfaces.queue import Standing


class Event(enum.Enum):
    """What can happen to a recipient; the value is the word of the trace."""

    ACCEPTED = "accepted"
    LEASED = "leased"
    FETCHED = "fetched"  # leased to hand it over to who asks for it
    MOVED = "moved"  # another way is its now: routes were changed
    REHELD = "reheld"  # its domain is in another hold now
    RETURNED = "returned"  # not tried after all: the server stops
    DEFERRED = "deferred"
    DELAYED = "delayed"  # it goes on waiting, and its sender is told
    DELIVERED = "delivered"
    EXPANDED = "expanded"  # it stood for several, who have it now
    FORWARDED = "forwarded"  # it stood for another, who is in its place now
    FAILED = "failed"
    EXPIRED = "expired"
    RECLAIMED = "reclaimed"  # its runner is gone; what that one did is not known
    RETRIED = "retried"  # an administrator wants it tried now
    HELD = "held"
    RELEASED = "released"
    REDIRECTED = "redirected"
    REMOVED = "removed"


_W, _H, _L = Standing.WAITING, Standing.HELD, Standing.LEASED

MOVES: Mapping[Event, Mapping[Standing | None, tuple[Standing | None, ...]]] = {
    Event.ACCEPTED: {None: (_W, _H, _L)},
    Event.LEASED: {_W: (_L,)},
    Event.FETCHED: {_H: (_L,)},
    Event.MOVED: {_W: (_W,)},
    Event.REHELD: {_W: (_W,), _H: (_H,)},
    Event.RETURNED: {_L: (_W, _H)},
    Event.DEFERRED: {_L: (_W, _H)},
    Event.DELAYED: {_W: (_W,), _H: (_H,)},
    Event.DELIVERED: {_L: (None,)},
    Event.EXPANDED: {_L: (None,)},
    Event.FORWARDED: {_L: (None,)},
    Event.FAILED: {_L: (None,)},
    Event.EXPIRED: {_W: (None,), _H: (None,), _L: (None,)},
    Event.RECLAIMED: {_L: (_W, _H)},
    Event.RETRIED: {_W: (_W,)},
    Event.HELD: {_W: (_H,), _H: (_H,)},  # what waits in a hold is kept back even when that is released
    Event.RELEASED: {_H: (_W, _H)},  # what is kept back in a hold that somebody fetches is in the hold again
    Event.REDIRECTED: {_W: (_W,), _H: (_W,)},
    Event.REMOVED: {_W: (None,), _H: (None,), _L: (None,)},
}
"""From where each event may come, and where it leads; None is outside the queue."""


def sources(event: Event) -> str:
    """The states that an event may come from, as SQL: "state IN (0, 1)"."""
    return f"state IN ({', '.join(str(state.value) for state in MOVES[event] if state is not None)})"
