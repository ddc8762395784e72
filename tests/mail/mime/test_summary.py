"""What is kept beside a message: dates, ids, attachments (RFC 5322 §3.3, §3.6.4; RFC 5256 §2.2)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.dates import SentDate, sent_date
from worldmail.mail.mime.references import MAXIMUM_REFERENCES, message_id, references
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.structure import render_structure
from worldmail.mail.mime.summary import has_attachment, summary_of

DAY = (date(2026, 11, 22) - date(1970, 1, 1)).days
NOON = DAY * 86400 + 12 * 3600


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (b"Sun, 22 Nov 2026 12:00:00 +0000", NOON),
        (b"22 Nov 2026 12:00 +0000", NOON),
        (b"Sun, 22 Nov 2026 12:00:00 -0130 (comment)", NOON + 5400),
        (b"Sun,22 Nov 2026 12:00:00 +0200", NOON - 7200),
        (b" Sun (Sunday), 22 (d) Nov (m) 2026 (y) 12 : 00 : 00 +0000", NOON),
        (b"sunday, 22-NOVEMBER-26 12:00:00 gmt", NOON),
        (b"22 Nov 26 12:00:00 EST", NOON + 5 * 3600),
        (b"22 Nov 126 12:00:00 Z", NOON),
        (b"Sun 22 Nov 2026 12:00:00.123 UT", NOON),
        (b"22 Nov 2026 12:00:00", NOON),
        (b"22 Nov 2026 12:00:00 +9999", NOON),
        (b"22 Nov 2026 12:00:60 +0000", NOON + 60),
        (b"22 Nov 2026", DAY * 86400),
        (b"22 Nov 2026 25:00:00 +0000", DAY * 86400),
        (b"22 Nov 2026 12:61:00 +0000", DAY * 86400),
    ],
)
def test_a_date_is_a_moment_and_the_day_that_is_written_there(value: bytes, at: int) -> None:
    assert sent_date(value) == SentDate(at, DAY)


@pytest.mark.parametrize(
    "value", [None, b"", b"x", b"31 Feb 2026", b"22 Xyz 2026", b"0 Nov 2026", b"22 Nov 0000", b"Nov 2026"]
)
def test_what_has_no_day_is_no_date(value: bytes | None) -> None:
    assert sent_date(value) is None


def test_the_day_is_that_of_the_place_where_it_was_sent() -> None:
    found = sent_date(b"22 Nov 2026 23:30:00 -1000")
    assert found == SentDate(DAY * 86400 + 33 * 3600 + 1800, DAY)
    assert datetime.fromtimestamp(found.at, UTC).date() == date(2026, 11, 23)


@given(st.binary(max_size=60) | st.text(alphabet="12 Nov:+-()ESTMon,", max_size=60).map(str.encode))
def test_any_value_can_be_asked_for_its_date(value: bytes) -> None:
    found = sent_date(value)
    assert found is None or abs(found.at - found.day * 86400) <= 200 * 3600


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, None),
        (b"", None),
        (b"<a@b>", b"a@b"),
        (b" < a@b > (c)", b"a@b"),
        (b"x <a@b> <c@d>", b"a@b"),
        (b'<"a"@b>', b"a@b"),
        (b'<"a\\b c"@d>', b"ab c@d"),
        (b"a@b", None),
        (b"<ab>", None),
        (b"<a@b", None),
        (b"<J\xc3\xb6rg@b>", b"J\xc3\xb6rg@b"),
    ],
)
def test_ids_that_are_equal_are_written_alike(value: bytes | None, found: bytes | None) -> None:
    assert message_id(value) == found


@pytest.mark.parametrize(
    ("referring", "replying", "found"),
    [
        (None, None, ()),
        (b"<a@b> <c@d>", b"<e@f>", (b"a@b", b"c@d")),
        (b"<a@b><c@d>,<a@b>", None, (b"a@b", b"c@d")),
        (b"nothing", b"your mail of <today> <e@f> <g@h>", (b"e@f",)),
        (None, b"nothing", ()),
    ],
)
def test_references_count_or_else_the_first_id_of_In_Reply_To(
    referring: bytes | None, replying: bytes | None, found: tuple[bytes, ...]
) -> None:
    assert references(referring, replying) == found


def test_of_too_many_references_the_first_and_the_last_count() -> None:
    found = references(b"".join(b"<%d@b>" % number for number in range(5000)), None)
    assert len(found) == MAXIMUM_REFERENCES and (found[0], found[1], found[-1]) == (b"0@b", b"4001@b", b"4999@b")


def part(*fields: bytes) -> bytes:
    return b"\r\n".join((*fields, b"", b"x"))


@pytest.mark.parametrize(
    ("data", "attached"),
    [
        (part(b"Subject: x"), False),
        (part(b"Content-Disposition: ATTACHMENT"), True),
        (part(b"Content-Type: application/pdf; name=x"), True),
        (part(b"Content-Type: application/pdf", b"Content-Disposition: x; filename*=utf-8''x"), True),
        (part(b"Content-Type: image/gif; name=x", b"Content-Disposition: inline; filename=x"), False),
        (part(b"Content-Type: text/plain; name=x"), False),
        (part(b"Content-Type: multipart/mixed; boundary=b", b"Content-Disposition: attachment"), False),
        (part(b"Content-Type: multipart/mixed; boundary=b", b"", b"--b", b"Content-Disposition: attachment"), True),
    ],
)
def test_an_attachment_is_seen(data: bytes, attached: bool) -> None:
    assert has_attachment(scan(data)) is attached


def test_a_summary_has_it_all() -> None:
    data = (
        b"Date: 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <c@d>\r\nReferences: <a@b>\r\nSubject: x\r\n"
        b"Content-Disposition: attachment\r\n\r\ntext\r\n"
    )
    summary = summary_of(scan(data))
    assert summary.envelope == b'("22 Nov 2026 12:00:00 +0000" "x" NIL NIL NIL NIL NIL NIL NIL "<c@d>")'
    assert summary.structure == render_structure(scan(data))
    assert (summary.sent, summary.sent_day) == (NOON, DAY)
    assert (summary.message_id, summary.references, summary.has_attachment) == (b"c@d", (b"a@b",), True)


def test_a_summary_of_nothing_has_nothing() -> None:
    summary = summary_of(scan(b""))
    assert summary.envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert (summary.sent, summary.sent_day, summary.message_id, summary.references) == (None, None, None, ())
