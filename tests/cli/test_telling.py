"""What became of messages, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worldmail.cli.telling import stories, told
from worldmail.interfaces.queue import QueuedRecipient, Standing
from worldmail.interfaces.store import TraceRecord

NOON = 1_800_014_400  # 2027-01-15 12:00:00 UTC
ARRIVAL = {"client": "192.0.2.9", "protocol": "ESMTPSA", "from": "a@x.test", "to": ["b@y.test"], "size": 7}


def record(event: str, at: int = 0, acceptance: str = "ID1", **detail: Any) -> TraceRecord:
    return TraceRecord(acceptance=acceptance, at=NOON + at, event=event, detail=json.dumps(detail))


def waiting(standing: Standing, **given: Any) -> QueuedRecipient:
    values: dict[str, Any] = {"due": NOON + 600, "attempts": 1, "expires": NOON + 864_00 * 5, "reply": "", **given}
    return QueuedRecipient(id=1, address="b@y.test", standing=standing, destination="mx y.test", **values)


def lines(*records: TraceRecord, queue: tuple[QueuedRecipient, ...] = ()) -> list[str]:
    (story,) = stories(records)
    return list(told(story, queue, NOON + 60))


def test_an_arrival_says_from_where_how_and_where_to() -> None:
    said = lines(
        record("accepted", **ARRIVAL, account="a@x.test", tls="TLSv1.3", message_id="<1@x>", queued=["b@y.test"])
    )
    assert said == [
        "ID1: from a@x.test to b@y.test, 7 octets, Message-ID <1@x>",
        "  2027-01-15 UTC",
        "  12:00:00  accepted from 192.0.2.9 by ESMTPSA, signed in as a@x.test (TLSv1.3): queued for b@y.test",
        "  now       nothing of it waits",
    ]


def test_mail_for_mailboxes_alone_says_nothing_of_the_queue() -> None:
    (*_, last) = lines(record("accepted", **ARRIVAL))
    assert last == "  12:00:00  accepted from 192.0.2.9 by ESMTPSA: in the mailbox of b@y.test"
    (*_, last) = lines(record("accepted", **ARRIVAL, delivered=["c@x.test", "d@x.test"]))
    assert last.endswith(": in the mailboxes of c@x.test, d@x.test")


FETCHED: dict[str, Any] = {
    **ARRIVAL,
    "protocol": "ESMTPS",
    "relay": "relay.test",
    "agent": "home",
    "before_id": "R1",
    "before_client": "198.51.100.7",
    "before_helo": "mx.far.test",
    "before_protocol": "ESMTPS",
}


def test_what_was_fetched_begins_with_what_its_relay_did() -> None:
    assert lines(record("accepted", **FETCHED, before_at=NOON - 86400 - 3 * 3600 - 65))[1:] == [
        "  2027-01-14 UTC",
        "  08:58:55  relay.test accepted it from mx.far.test [198.51.100.7] by ESMTPS, as R1",
        "  2027-01-15 UTC",
        "  12:00:00  accepted from 192.0.2.9 by ESMTPS, fetched from relay.test by the agent home:"
        " in the mailbox of b@y.test; it had waited there for 1 d 3 h",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, ""),
        (1, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_how_long_it_waited_is_said_as_people_say_it(seconds: int, words: str) -> None:
    (*_, last) = lines(record("accepted", **FETCHED, before_at=NOON - seconds))
    assert last.endswith(f"; it had waited there for {words}" if words else "b@y.test")


@pytest.mark.parametrize("at", [0, NOON + 301, 10**11, -5, "x"])
def test_a_time_that_cannot_be_is_not_told(at: object) -> None:
    assert len(lines(record("accepted", **FETCHED, before_at=at))) == 3


def test_what_a_server_before_us_made_itself_came_from_nobody() -> None:
    made: dict[str, Any] = {**ARRIVAL, "before_local": True, "before_id": "R1", "before_at": NOON}
    assert lines(record("accepted", **made))[2] == "  12:00:00  192.0.2.9 made it itself, as R1"


def test_each_event_has_its_words() -> None:
    to = ["b@y.test"]
    attempt = {"to": to, "server": "mx.y.test[192.0.2.1]:25"}
    for event, detail, words in (
        ("delivered", {**attempt, "said": "250 Ok", "attempt": 1, "tls": "TLSv1.3"}, "250 Ok (TLSv1.3)"),
        (
            "delivered",
            {**attempt, "said": "250 Ok", "attempt": 1, "tls": "TLSv1.3", "verified": True},
            "250 Ok (TLSv1.3, certificate verified)",
        ),
        (
            "delivered",
            {**attempt, "said": "250 Ok", "attempt": 2, "tls": "TLSv1.2", "verified": False},
            "250 Ok (TLSv1.2, certificate not verified, attempt 2)",
        ),
        ("delivered", {**attempt, "said": "250 Ok", "attempt": 3}, "250 Ok (attempt 3)"),
        ("deferred", {**attempt, "said": "451 No", "attempt": 1, "next": NOON + 300}, "(attempt 1, next try 12:05:00)"),
        (
            "deferred",
            {"to": to, "server": "", "said": "No answer", "attempt": 1, "next": NOON + 86_400},
            "deferred for b@y.test: No answer (attempt 1, next try 2027-01-16 12:00:00)",
        ),
        ("failed", {**attempt, "said": "550 No"}, "failed for b@y.test at mx.y.test[192.0.2.1]:25: 550 No"),
        ("expired", {"to": to, "said": "451 No"}, "given up for b@y.test: its time is over; said last: 451 No"),
        ("delayed", {"to": to, "said": ""}, "delayed for b@y.test: it goes on being tried"),
        ("reclaimed", {"to": to, "said": "The server stopped"}, "to be tried again for b@y.test: The server stopped"),
        ("retried", {"to": to}, "an administrator wants it tried now: b@y.test"),
        ("removed", {"to": to}, "an administrator took it out of the queue: b@y.test"),
        ("expanded", {"to": to, "session": "queue", "queued": ["c@z.test"]}, "b@y.test: queued for c@z.test"),
        ("delivered", {"to": to, "session": "queue"}, "b@y.test: in the mailbox of b@y.test"),
        (
            "unreported",
            {"to": to, "sender": "a@x.test", "said": "No such user here"},
            "a@x.test cannot be told of b@y.test: No such user here",
        ),
        ("of a plugin", {"to": to, "colour": 7}, 'of a plugin to=["b@y.test"] colour=7'),
    ):
        line = lines(record(event, **detail))[2]
        assert line.endswith(words), (event, line)


def test_a_delivery_here_by_way_of_the_queue_is_told_once() -> None:
    here = record("delivered", to=["b@x.test"], session="queue")
    settled = record("delivered", to=["b@x.test"], server="", said="Delivered to the mailbox")
    assert len(lines(here, settled)) == 3


def test_who_waits_says_until_when() -> None:
    first = record("accepted", **ARRIVAL, queued=["b@y.test"])
    for standing, given, words in (
        (
            Standing.WAITING,
            {"reply": "451 No"},
            "waits: tried 1 time, next try 12:10:00, given up 2027-01-20 12:00:00; said last: 451 No",
        ),
        (Standing.WAITING, {"attempts": 0}, "waits: not tried yet, next try 12:10:00, given up 2027-01-20 12:00:00"),
        (
            Standing.WAITING,
            {"attempts": 0, "due": NOON},
            "waits: not tried yet, next try with its destination (worldmail queue destinations), "
            "given up 2027-01-20 12:00:00",
        ),
        (Standing.HELD, {"attempts": 2}, "is held until it is released, tried 2 times"),
        (Standing.LEASED, {"attempts": 2}, "is being tried, attempt 2"),
    ):
        (*_, line) = lines(first, queue=(waiting(standing, **given),))
        assert line == f"  now       b@y.test {words}"


def test_reports_and_what_they_are_on_name_each_other() -> None:
    message, report = stories(
        [
            record("accepted", **ARRIVAL, queued=["b@y.test"]),
            record("failed", to=["b@y.test"], server="mx", said="550 No"),
            record("accepted", 1, "ID2", to=["a@x.test"], protocol="report", about="ID1", **{"from": ""}, size=9),
        ]
    )
    assert "  12:00:01  a@x.test is told by the report ID2" in list(told(message, (), NOON))
    assert list(told(report, (), NOON))[-1] == "  12:00:01  made here, a report on ID1: in the mailbox of a@x.test"


def test_a_new_day_has_a_line_of_its_own_and_many_recipients_are_counted() -> None:
    many = [f"{number}@y.test" for number in range(9)]
    said = lines(
        record("accepted", **{**ARRIVAL, "to": many}, queued=many),
        record("delivered", 43_200, to=many, server="mx", said="250 Ok"),
    )
    assert said[0] == "ID1: from a@x.test to 0@y.test, 1@y.test, 2@y.test and 6 more, 7 octets"
    assert said[3:5] == ["  2027-01-16 UTC", f"  00:00:00  handed to mx for {', '.join(many)}: 250 Ok"]


def test_what_peers_say_can_drive_no_terminal() -> None:
    evil = "250 \x1b[2J\n\u202eOk"
    for line in lines(record("delivered", to=[evil], server=evil, said=evil), record(evil, to=[evil])):
        assert line.isprintable()


def test_a_message_whose_beginning_is_forgotten_is_told_all_the_same() -> None:
    assert lines(record("delivered", to=["b@y.test"], server="mx", said="250 Ok"))[0].startswith("ID1: how it came")
