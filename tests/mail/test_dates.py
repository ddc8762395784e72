"""Date fields are read as they are found in mail."""

from __future__ import annotations

import email.utils
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.dates import SentDate, date_time, sent_date

EPOCH = date(1970, 1, 1)
NOON = SentDate(int(datetime(2026, 11, 22, 12, 30, 45, tzinfo=UTC).timestamp()), (date(2026, 11, 22) - EPOCH).days)


@pytest.mark.parametrize(
    "value",
    [
        b"Sun, 22 Nov 2026 12:30:45 +0000",
        b"Sun, 22 Nov 2026 12:30:45 -0000",
        b"Sun, 22 Nov 2026 12:30:45 GMT",
        b"22 Nov 2026 12:30:45 +0000",
        b"Sun, 22 Nov 2026 13:30:45 +0100 (CET)",
        b"Sun, 22 Nov 2026 07:30:45 EST",
        b"Sun, 22 Nov 2026 07:30:45 -0500",
        b"Sun,22 Nov 26 12:30:45 Z",
        b"Sunday, 22-Nov-26 12:30:45 GMT",
        b"Sun Nov 22 12:30:45 2026",
        b"Sun Nov 22 07:30:45 EST 2026",
        b"Sun, 22 November 2026 12:30:45 UT",
        b"(a (nested) comment) Sun, 22 (x) Nov 2026 12 (y) Nov",
        b"2026-11-22T12:30:45Z",
        b"2026-11-22 13:30:45+01:00",
        b"Sun, 22 Nov 2026 12:30:45",
        b"Sun, 22 Nov 2026 12:30:45 GMT+0000",
        b"Sun, 22 Nov 2026 14:30:45 GMT+0200",
        b"Nov 22, 2026 12:30:45 PM",
        b"  Sun,  22  Nov  2026  12:30:45  +0000",
        b"Sun, 22 Nov 2026 12:30:45 +9900",
        b"Sun, 22 Nov 2026 12:30:45.123 +0000",
        b" Sun (Sunday), 22 (d) Nov (m) 2026 (y) 12 : 30 : 45 +0000",
        b"sunday, 22-NOVEMBER-26 12:30:45 gmt",
        b"22 Nov 126 12:30:45 Z",
        b"Sun. 22 Nov 2026 12:30:45 +0000",
    ],
)
def test_all_these_mean_the_same_moment(value: bytes) -> None:
    expected = NOON if b"nested" not in value else SentDate(NOON.at - 45045, NOON.day)
    assert sent_date(value) == expected


@pytest.mark.parametrize(
    "value",
    [b"", b"never", b"Sun, 32 Nov 2026 12:00:00 +0000", b"Sun, 22 Foo 2026 12:00:00 +0000", b"22 Nov", b"(", b"12"],
)
def test_these_are_no_dates(value: bytes) -> None:
    assert sent_date(value) is None


def test_an_impossible_time_is_midnight() -> None:
    assert sent_date(b"22 Nov 2026 25:61:00 +0000") == SentDate(NOON.at - 45045, NOON.day)
    assert sent_date(b"22 Nov 2026") == SentDate(NOON.at - 45045, NOON.day)


@pytest.mark.parametrize(
    ("digits", "year"), [(b"26", 2026), (b"49", 2049), (b"50", 1950), (b"99", 1999), (b"103", 2003)]
)
def test_a_short_year_is_near(digits: bytes, year: int) -> None:
    found = sent_date(b"1 Jan " + digits + b" 00:00:00 +0000")
    assert found is not None
    assert (EPOCH + timedelta(found.day)).year == year


def test_the_day_is_that_of_the_sender() -> None:
    found = sent_date(b"Mon, 23 Nov 2026 01:00:00 +0200")
    assert found is not None
    assert EPOCH + timedelta(found.day) == date(2026, 11, 23)
    assert datetime.fromtimestamp(found.at, UTC).date() == date(2026, 11, 22)


@given(st.datetimes(), st.integers(-1439, 1439))
def test_what_the_standard_library_writes_is_read(moment: datetime, offset: int) -> None:
    moment = moment.replace(year=max(1900, moment.year), microsecond=0, tzinfo=timezone(timedelta(minutes=offset)))
    found = sent_date(email.utils.format_datetime(moment).encode())
    assert found is not None
    assert found.at == (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert EPOCH + timedelta(found.day) == moment.date()


@given(st.integers(0, 10_000_000_000))
def test_what_we_write_we_read(at: int) -> None:
    found = sent_date(date_time(at).encode())
    assert found is not None and found.at == at


@given(st.binary(max_size=300) | st.text("0123456789:-+ (),JanFebMayPMTZ", max_size=80).map(str.encode))
def test_nothing_raises(value: bytes) -> None:
    sent_date(value)


@pytest.mark.parametrize("unit", [b" ", b"(", b"1", b"1 ", b"Jan ", b"1:11:11", b"()"])
def test_a_long_field_is_no_longer_work(unit: bytes) -> None:
    for _ in range(100):
        sent_date(unit * 3_000_000)
