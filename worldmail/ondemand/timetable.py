"""When something is open, and when it is to be done. Pure.

    timetable = "always" / "never" / entry *(";" entry)
    entry     = [days] [hours] ["every" duration]          at least one of them
    days      = day-or-days *("," day-or-days)             "mon", "mon-fri", "sat-mon", "daily"
    hours     = span-or-moment *("," span-or-moment)       "08:00-18:00", "22:00-06:00", "07:30"

A span is open from its first minute to its last; one that ends before it begins goes on into the next day, and belongs
to the day on which it began. A moment opens nothing: something is done then. Without hours the whole day is meant. What
is done "every" so often is done from the beginning of each span on, and without "every" at its beginning alone.

The clock is that of the machine, in its time zone: where it is put forward, a moment that does not come is the moment
that comes instead, and where it is put back, a moment that comes twice is the first.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

from attrs import field, frozen

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EXPECTED = (
    'a timetable such as "always", "every 15m", "mon-fri 08:00-18:00 every 30m; sat,sun 10:00", with days before hours'
)
_HOURS = re.compile(r"(\d\d):(\d\d)(?:-(\d\d):(\d\d))?")
_EVERY = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST = 50

LEAST = 10
"""Seconds: the smallest interval."""

_DAY = 24 * 60
_AHEAD = 9
"""Days in which every entry comes about at least once: a week, and what a night and a changed clock add."""


@frozen(kw_only=True)
class Span:
    """Minutes of a day, from `start` to `end`, which may lie in the next day; of a moment both are the same."""

    start: int
    end: int

    def __str__(self) -> str:
        """As it is written."""
        return _hour(self.start) if self.end == self.start else f"{_hour(self.start)}-{_hour(self.end)}"


_WHOLE_DAY = Span(start=0, end=_DAY)


@frozen(kw_only=True)
class Entry:
    """Some days, some hours of each, and how often within them (seconds; 0 for once)."""

    days: frozenset[int] = frozenset(range(7))
    spans: tuple[Span, ...] = (_WHOLE_DAY,)
    every: int = 0

    def __str__(self) -> str:
        """As it is written, in the shortest way."""
        words = []
        if len(self.days) < len(_DAYS):
            words.append(_days_text(self.days))
        if self.spans != (_WHOLE_DAY,):
            words.append(",".join(map(str, self.spans)))
        if self.every:
            words.append(f"every {_every_text(self.every)}")
        return " ".join(words) or "daily"


def _machine_time(day: date, minute: int) -> int:
    """The moment (epoch seconds) of this minute of a day, which may be a minute of the days behind it."""
    # Not mktime: of a moment that comes twice it gives one today and the other tomorrow, by what it was asked before.
    return int((datetime(day.year, day.month, day.day) + timedelta(minutes=minute)).timestamp())  # noqa: DTZ001


def _machine_day(at: float) -> date:
    year, month, day, *_ = time.localtime(at)
    return date(year, month, day)


@frozen
class Timetable:
    """Some entries; none is "never".

    Args:
        moment: when a minute of a day is; the clock of the machine tells.
        day: the day of a moment.
    """

    entries: tuple[Entry, ...]
    _moment: Callable[[date, int], int] = field(default=_machine_time, eq=False, repr=False, kw_only=True)
    _day: Callable[[float], date] = field(default=_machine_day, eq=False, repr=False, kw_only=True)

    @classmethod
    def parse(cls, text: str) -> Timetable:
        """What the text says. Raises ValueError with what was expected."""
        words = text.strip().lower()
        if words == "never":
            return cls(())
        if words == "always":
            return cls((Entry(),))
        parts = words.split(";")
        if len(parts) > _MOST:
            raise ValueError(f"at most {_MOST} entries")
        return cls(tuple([_entry(part.split()) for part in parts]))

    def __str__(self) -> str:
        """As `parse` reads it."""
        if not self.entries:
            return "never"
        return "always" if self.entries == (Entry(),) else "; ".join(map(str, self.entries))

    def is_open(self, at: float) -> bool:
        """Does this moment (epoch seconds) lie in a span?"""
        return self.closes(at) is not None

    def closes(self, at: float) -> int | None:
        """When the time that is open now ends; None if it is not open. What never ends, ends days ahead."""
        end: int | None = None
        for start, stop, _ in sorted(self._spans(at)):
            if start <= (at if end is None else end) < stop:
                end = stop
        return end

    def opens(self, after: float) -> int | None:
        """When a span begins next, after this moment; None if none ever does. What is "always" begins each day."""
        return min((start for start, stop, _ in self._spans(after) if start > after and stop > start), default=None)

    def next(self, after: float) -> int | None:
        """When it is to be done next, after this moment; None if never."""
        found: int | None = None
        for start, stop, every in self._spans(after):
            at = start
            if every and after >= start:
                at = start + every * (int(after - start) // every + 1)
                if at >= max(stop, start + 1):
                    continue
            if at > after and (found is None or at < found):
                found = at
        return found

    def _spans(self, about: float) -> Iterator[tuple[int, int, int]]:
        """Beginning, end and interval of all spans and moments from the day before on."""
        today = self._day(about)
        for entry in self.entries:
            for ahead in range(-1, _AHEAD):
                day = today + timedelta(days=ahead)
                if day.weekday() in entry.days:
                    for span in entry.spans:
                        yield self._moment(day, span.start), self._moment(day, span.end), entry.every


def _entry(words: list[str]) -> Entry:
    if not words:
        raise ValueError(_EXPECTED)
    days, every = frozenset(range(7)), 0
    spans: tuple[Span, ...] = (_WHOLE_DAY,)
    rest = list(words)
    if rest[0][0].isalpha() and rest[0] != "every":
        days = _days(rest.pop(0))
    if rest and rest[0][0].isdecimal():
        spans = _spans(rest.pop(0))
    if rest:
        if len(rest) != 2 or rest[0] != "every":
            raise ValueError(_EXPECTED)
        every = _interval(rest[1])
    if every and any(span.start == span.end for span in spans):
        raise ValueError("a moment comes once a day: every 15m needs a span such as 08:00-18:00")
    return Entry(days=days, spans=spans, every=every)


def _days(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS or part.endswith("-"):
            raise ValueError(_EXPECTED)
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(days)


def _spans(text: str) -> tuple[Span, ...]:
    spans = []
    for part in text.split(","):
        match = _HOURS.fullmatch(part)
        if match is None:
            raise ValueError(_EXPECTED)
        start = _minute(match[1], match[2])
        end = start if match[3] is None else _minute(match[3], match[4])
        if start == _DAY or (match[3] is not None and end == start):
            raise ValueError(_EXPECTED)
        spans.append(Span(start=start, end=end if end >= start else end + _DAY))
    if len(spans) > _MOST:
        raise ValueError(f"at most {_MOST} of them in one entry")
    return tuple(spans)


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > _DAY:
        raise ValueError(_EXPECTED)
    return minute


def _interval(text: str) -> int:
    match = _EVERY.fullmatch(text)
    seconds = 0 if match is None else int(match[1]) * _UNITS[match[2]]
    if not LEAST <= seconds <= 86400:
        raise ValueError(f'an interval such as "30s", "15m" or "2h", from {LEAST} seconds to a day')
    return seconds


def _hour(minute: int) -> str:
    minute = minute if minute <= _DAY else minute - _DAY
    return f"{minute // 60:02}:{minute % 60:02}"


def _every_text(seconds: int) -> str:
    unit = next(unit for unit in ("h", "m", "s") if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _days_text(days: frozenset[int]) -> str:
    """Runs of three and more as one; a run may go over the end of the week."""
    starts = [day for day in sorted(days) if (day - 1) % 7 not in days]
    parts = []
    for start in starts:
        length = next(length for length in range(1, 8) if (start + length) % 7 not in days)
        run = [_DAYS[(start + step) % 7] for step in range(length)]
        parts += [f"{run[0]}-{run[-1]}"] if length > 2 else run
    return ",".join(parts)
