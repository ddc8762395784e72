"""The domains that a relay holds mail for, as both are now: what its hold names, and what is taken here."""

from __future__ import annotations

from worldmail.directory.rows import domain_by_name
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.holds import Hold
from worldmail.policy.relay import is_below
from worldmail.queue.hold_admin import find_hold


def held_domains(cursor: Cursor, name: str) -> tuple[str, ...]:
    """Those of this hold, in A-labels, in its order; none if there is no such hold, or it is off.

    Not what stands for all below a domain, and no domain that was removed, which stays in a hold that names no other.
    """
    hold = find_hold(cursor, name)
    if hold is None or not hold.enabled:
        return ()
    return tuple(domain for domain in hold.domains if not domain.startswith(".") and _is_taken(cursor, hold, domain))


def _is_taken(cursor: Cursor, hold: Hold, domain: str) -> bool:
    """As `RelayCheck` has it."""
    known = domain_by_name(cursor, domain)
    if known is not None:
        return known.kind == "relay"
    return any(is_below(domain, each) for each in hold.domains)
