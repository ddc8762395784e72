"""When a message says that it was sent: its Date field (RFC 5322 §3.3, §4.3)."""

from __future__ import annotations

import re
from datetime import date

from attrs import frozen

from worldmail.mail.mime.comments import without_comments

# [day-of-week ","] day month year hour ":" minute [":" second] zone, with what is obsolete and what is merely usual.
_DATE = re.compile(
    rb"\s*(?:[A-Za-z]++\.?\s*+,?\s*+)?(\d{1,2})[\s-]++([A-Za-z]{3})[A-Za-z]*+\.?[\s,-]++(\d{2,4})(?!\d)"
    rb"(?:[\s,]++(\d{1,2})\s*+:\s*+(\d{1,2})(?:\s*+:\s*+(\d{1,2}))?(?:\.\d++)?\s*+([+-]\d{4}(?!\d)|[A-Za-z]++)?)?"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_ZONES = {b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7}
_EPOCH = date(1970, 1, 1).toordinal()


@frozen
class Sent:
    """A moment.

    Attributes:
        at: epoch seconds; an unreadable zone is UTC and an unreadable time midnight (RFC 5256 §2.2).
        day: the day that is written there, whatever the zone (SENTON, RFC 9051 §6.4.4), as `day_number` gives it.
    """

    at: int
    day: int


def day_number(year: int, month: int, day: int) -> int:
    """Days since 1 January 1970.

    Raises: ValueError if there is no such day.
    """
    return date(year, month, day).toordinal() - _EPOCH


def sent(value: bytes | None) -> Sent | None:
    """The moment in a Date field; None if there is none or its day cannot be read."""
    if not value:
        return None
    match = _DATE.match(without_comments(value) if b"(" in value else value)
    if match is None:
        return None
    day_text, month_text, year_text, hour, minute, second, zone = match.groups()
    month = _MONTHS.get(month_text.lower())
    year = int(year_text)
    if len(year_text) < 4:  # RFC 5322 §4.3
        year += 2000 if len(year_text) == 2 and year < 50 else 1900
    try:
        day = day_number(year, month or 0, int(day_text))
    except ValueError:
        return None
    if hour is None or int(hour) > 23 or int(minute) > 59 or int(second or 0) > 60:
        return Sent(day * 86400, day)
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    return Sent(day * 86400 + seconds - _offset(zone), day)


def _offset(zone: bytes | None) -> int:
    """Seconds east of Greenwich; 0 for zones that say nothing (RFC 5322 §4.3)."""
    if zone is None:
        return 0
    if zone[:1] in b"+-":
        if int(zone[3:]) > 59:
            return 0
        seconds = int(zone[1:3]) * 3600 + int(zone[3:]) * 60
        return -seconds if zone[:1] == b"-" else seconds
    return _ZONES.get(zone.upper(), 0) * 3600
