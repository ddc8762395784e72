"""Dates as header fields have them (RFC 5322 §3.3): written in UTC, read as they come."""

from __future__ import annotations

import re
import time
from datetime import date
from functools import lru_cache
from typing import NamedTuple

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_NUMBERS = {name.lower().encode(): number for number, name in enumerate(_MONTHS, 1)}
_EPOCH = date(1970, 1, 1).toordinal()
_LONGEST = 256  # octets of a field that are looked at
_FURTHEST = 24 * 60  # minutes from UTC; a zone beyond is none

# Hours from UTC: RFC 5322 §4.3, and names that are common and mean one thing.
_NAMED = """
    edt -4 est -5 cdt -5 cst -6 mdt -6 mst -7 pdt -7 pst -8 hst -10 wet 0 west 1 bst 1 cet 1 met 1 cest 2 mest 2
    eet 2 eest 3 msk 3 jst 9 kst 9 hkt 8 aest 10 aedt 11 nzst 12 nzdt 13
"""
_ZONES = {name.encode(): int(hours) for name, hours in zip(_NAMED.split()[::2], _NAMED.split()[1::2], strict=True)}

# date-time = [day-of-week ","] day month year hour ":" minute [":" second] zone                       RFC 5322 §3.3
_USUAL = re.compile(
    rb"\s*(?:[A-Za-z]{3},\s*)?(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+(\d{1,2}):(\d\d)(?::(\d\d))?"
    rb"\s+(?:([+-])(\d\d)(\d\d)(?!\d)|GMT\s*\Z)"
)
_COMMENT_PARTS = re.compile(rb"[()]")
_SORTABLE = re.compile(rb"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?:T|\s|\Z)")
_MONTH = re.compile(rb"(?<![a-z])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}(?![a-z])", re.IGNORECASE)
_TIME = re.compile(
    rb"(?<!\d)(\d{1,2})\s*+:\s*+(\d{1,2})(?:\s*+:\s*+(\d{1,2})(?:[.,]\d{1,9})?)?(?!\d)\s*([ap]m(?![a-z]))?",
    re.IGNORECASE,
)
_ZONE = re.compile(rb"\s*(?:([A-Za-z]{1,5})(?![A-Za-z]))?\s*(?:([+-])(\d\d):?(\d\d)(?!\d))?")
_NUMBER = re.compile(rb"(?<!\d)(\d{1,4})(?!\d)")


class SentDate(NamedTuple):
    """When a message was sent, by its Date field.

    `at` is in epoch seconds; `day` is the day where it was sent, in days since 1 January 1970: IMAP's SENTON and its
    like disregard time and zone (RFC 9051 §6.4.4).
    """

    at: int
    day: int


@lru_cache(maxsize=4)
def date_time(at: int) -> str:
    """ "Sun, 17 Mar 2030 17:46:40 +0000" for epoch seconds."""
    moment = time.gmtime(at)
    return (
        f"{_DAYS[moment.tm_wday]}, {moment.tm_mday:02d} {_MONTHS[moment.tm_mon - 1]} {moment.tm_year:04d}"
        f" {moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d} +0000"
    )


def sent_date(value: bytes | None) -> SentDate | None:
    """What a Date field says, in whatever form is found in mail; None if no day can be read.

    A time that is missing or impossible is 00:00:00, a zone that is missing or unknown is UTC (RFC 5256 §2.2).
    """
    if not value:
        return None
    value = value[:_LONGEST]
    match = _USUAL.match(value)
    if match is None:
        return _unusual(value)
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    number = _NUMBERS.get(month.lower())
    if number is None:
        return None
    clock = _clock(int(hour), int(minute), int(second or 0))
    if sign is None:
        return _sent(int(year), number, int(day), clock, 0)
    offset = int(hours) * 60 + int(minutes)
    return _sent(int(year), number, int(day), clock, -offset if sign == b"-" else offset)


def _sent(year: int, month: int, day: int, clock: int, offset: int) -> SentDate | None:
    number = _days(year, month, day)
    if number is None:
        return None
    if not -_FURTHEST < offset < _FURTHEST:
        offset = 0
    return SentDate(number * 86400 + clock - offset * 60, number)


@lru_cache(maxsize=256)
def _days(year: int, month: int, day: int) -> int | None:
    """Days since 1 January 1970; None if there is no such day."""
    try:
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None


def _clock(hour: int, minute: int, second: int) -> int:
    """Seconds of the day; a leap second is one."""
    return hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second <= 60 else 0


def _unusual(value: bytes) -> SentDate | None:
    """Comments, other orders, names of zones, two digits for a year (RFC 5322 §4.3), ISO 8601 (RFC 3339)."""
    text = _without_comments(value)
    clock = offset = 0
    found = _TIME.search(text)
    if found is not None:
        hour = int(found[1])
        if found[4] is not None:
            hour = hour % 12 + (12 if found[4].lower() == b"pm" else 0)
        clock = _clock(hour, int(found[2]), int(found[3] or 0))
        zone = _ZONE.match(text, found.end())
        offset, end = (_offset(zone), zone.end()) if zone is not None else (0, found.end())
        text = text[: found.start()] + b" " + text[end:]
    day = _day(text)
    return None if day is None else _sent(*day, clock, offset)


def _day(text: bytes) -> tuple[int, int, int] | None:
    """Year, month and day of a text without time and zone."""
    sortable = _SORTABLE.search(text)
    if sortable is not None:
        return int(sortable[1]), int(sortable[2]), int(sortable[3])
    month = _MONTH.search(text)
    if month is None:
        return None
    numbers = _NUMBER.findall(text)[:2]
    if len(numbers) < 2:
        return None
    if len(numbers[0]) > 2:
        numbers.reverse()
    return _year(numbers[1]), _NUMBERS[month[1].lower()], int(numbers[0])


def _year(digits: bytes) -> int:
    """Two digits and three are years of the last century, but those below 50 (RFC 5322 §4.3)."""
    year = int(digits)
    if len(digits) > 3:
        return year
    return year + (2000 if len(digits) < 3 and year < 50 else 1900)


def _offset(zone: re.Match[bytes]) -> int:
    """Minutes east of UTC: by the number, else by the name."""
    if zone[2] is not None:
        offset = int(zone[3]) * 60 + int(zone[4])
        return -offset if zone[2] == b"-" else offset
    return 60 * _ZONES.get(zone[1].lower(), 0) if zone[1] is not None else 0


def _without_comments(text: bytes) -> bytes:
    """Each comment becomes a space; one that does not end goes to the end (RFC 5322 §3.2.2)."""
    if b"(" not in text:
        return text
    kept: list[bytes] = []
    depth = start = 0
    for match in _COMMENT_PARTS.finditer(text):
        if match[0] == b"(":
            if depth == 0:
                kept.append(text[start : match.start()])
            depth += 1
        elif depth:
            depth -= 1
            start = match.end()
    if depth == 0:
        kept.append(text[start:])
    return b" ".join(kept)
