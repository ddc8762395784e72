"""Dates as IMAP writes them (RFC 9051 §9: date, date-time)."""

from __future__ import annotations

import calendar
import re
from datetime import date

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_NUMBER_OF = {name.lower().encode(): number for number, name in enumerate(MONTHS, 1)}

# date-text = date-day "-" date-month "-" date-year
_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")

# date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
_DATE_TIME = re.compile(
    rb"[ ]?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"
)

# In UTC a year has four digits too (date-year = 4DIGIT).
_EARLIEST = calendar.timegm((1, 1, 1, 0, 0, 0))
_LATEST = calendar.timegm((9999, 12, 31, 23, 59, 59))


def read_date(text: bytes) -> date:
    """A day. Raises: ValueError."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("a date is expected, such as 1-Feb-2030")
    return _day(found[3], found[2], found[1])


def read_date_time(text: bytes) -> int:
    """A moment, epoch seconds. Raises: ValueError."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError("a date and time is expected, such as 01-Feb-2030 10:20:30 +0000")
    day = _day(found[3], found[2], found[1])
    hour, minute, second = int(found[4]), int(found[5]), int(found[6])
    if hour > 23 or minute > 59 or second > 60 or int(found[9]) > 59:
        raise ValueError("a time of day that is none")
    zone = (int(found[8]) * 60 + int(found[9])) * 60
    seconds = calendar.timegm((day.year, day.month, day.day, hour, minute, min(second, 59)))
    moment = seconds - zone if found[7] == b"+" else seconds + zone
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("a moment that cannot be written in UTC")
    return moment


def _day(year: bytes, month: bytes, day: bytes) -> date:
    number = _NUMBER_OF.get(month.lower())
    if number is None:
        raise ValueError("no month has this name")
    return date(int(year), number, int(day))
