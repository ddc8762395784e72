"""What a client may ask for in MAIL beside delivery: later, in time, before others, in TLS all the way.

    hold-for     = "HOLDFOR=" future-release-integer                        RFC 4865 §3
    hold-until   = "HOLDUNTIL=" date-time, in UTC                           RFC 4865 §3, RFC 3339 §5.6
    by-value     = by-time ";" by-mode [by-trace]                           RFC 2852 §4
    by-time      = ["-" / "+"] 1*9DIGIT;  by-mode = "N" / "R";  by-trace = "T"
    mt-priority  = "MT-PRIORITY=" (["-"] NZDIGIT / "0")                     RFC 6710 §7
    requiretls   = "REQUIRETLS"                                             RFC 8689 §2

The parsers take a parameter's value (None if it had none) and raise ValueError.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from attrs import frozen

_INTERVAL = re.compile(r"[1-9][0-9]{0,8}")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:)([0-9]{2})(?:\.([0-9]{1,9}))?(?:[Zz]|[+-]00:00)"
)
_DELIVER_BY = re.compile(r"([+-]?[0-9]{1,9});([NnRr])([Tt])?")
_PRIORITY = re.compile(r"-?[1-9]|0")


@frozen(kw_only=True)
class Hold:
    """HOLDFOR or HOLDUNTIL: one of `seconds` from now and the moment `until` (epoch seconds).

    `text` is how a report names it, "for;3600" (RFC 4865 §5.1.2).
    """

    text: str
    seconds: int | None = None
    until: int | None = None


@frozen(kw_only=True)
class DeliverBy:
    """BY: so many seconds from now, which can be 0 or fewer with mode "N"; mode "R" or "N"; T."""

    seconds: int
    mode: str
    trace: bool


@frozen(kw_only=True)
class Asked:
    """All of it; None and False where nothing was asked for."""

    hold: Hold | None = None
    deliver_by: DeliverBy | None = None
    priority: int | None = None
    require_tls: bool = False


FIELDS = frozenset(("hold", "deliver_by", "priority", "require_tls"))
"""The fields of `Asked`."""


def hold_for(value: str | None) -> Hold:
    """HOLDFOR: 1 to 9 digits, not 0."""
    if value is None or _INTERVAL.fullmatch(value) is None:
        raise ValueError
    return Hold(text=f"for;{value}", seconds=int(value))


def hold_until(value: str | None) -> Hold:
    """HOLDUNTIL: a moment in UTC, as RFC 4865 §3 wants it normalised.

    Nothing is released before its time (§4.2): a part of a second counts as a whole one, and the second after a leap
    second is the first one that every clock has.
    """
    match = None if value is None else _MOMENT.fullmatch(value)
    if match is None:
        raise ValueError
    day, time, second, fraction = match.groups()
    if int(second) > 60:
        raise ValueError
    moment = datetime.fromisoformat(f"{day}T{time}{min(int(second), 59):02d}").replace(tzinfo=UTC)
    later = int(second) == 60 or (fraction is not None and int(fraction) > 0)
    return Hold(text=f"until;{value}", until=int(moment.timestamp()) + later)


def deliver_by(value: str | None) -> DeliverBy:
    """BY. What is to be returned if it is late must have some time left (RFC 2852 §4)."""
    match = None if value is None else _DELIVER_BY.fullmatch(value)
    if match is None:
        raise ValueError
    made = DeliverBy(seconds=int(match[1]), mode=match[2].upper(), trace=match[3] is not None)
    if made.mode == "R" and made.seconds <= 0:
        raise ValueError
    return made


def priority(value: str | None) -> int:
    """MT-PRIORITY: -9 to 9."""
    if value is None or _PRIORITY.fullmatch(value) is None:
        raise ValueError
    return int(value)
