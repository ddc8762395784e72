"""SEARCH: every key, every result option."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.interfaces.messages import Appending, Flag
from worldmail.protocols.imap.search import evaluate
from worldmail.testing.imap import ImapClient
from worldmail.testing.real_store import settle
from worldmail.wire.ready import Ready

DAY = 86400
NOW = 1_900_000_000  # 2030-03-17 17:46:40 UTC


def mail(subject: str, text: str, *, sender: str = "ann@example.test", date: str = "", more: str = "") -> bytes:
    dated = f"Date: {date}\r\n" if date else ""
    return (
        f"{dated}From: {sender}\r\nTo: bob@example.test\r\nSubject: {subject}\r\n{more}"
        f"Message-ID: <{subject.replace(' ', '.')}@example.test>\r\n\r\n{text}\r\n"
    ).encode()


@pytest.fixture
def box(bob: ImapClient, site: Any) -> ImapClient:
    """INBOX of six messages, selected: UIDs 1 to 4, 6 and 7 (5 was expunged)."""
    account = site.accounts["bob"]
    store = site.store.world.messages
    box_id = site.store.status(account).id

    def add(octets: bytes, age: int, flags: int = 0, keywords: tuple[str, ...] = ()) -> None:
        appending = site.store.appending(octets, received=NOW - age * DAY, flags=flags, keywords=keywords)
        assert isinstance(appending, Appending)
        settle(store.append(box_id, [appending]))

    add(mail("Hello world", "The zebrafinch sings", date="Sat, 16 Mar 2030 23:30:00 -0500"), 0, Flag.SEEN)
    add(mail("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Nothing to see", more="X-Kind: strange\r\nCc: cy@example.test\r\n"), 1)
    add(mail("Invoice", "Pay, please" + "!" * 2000, sender="carl@example.test"), 10, Flag.FLAGGED | Flag.ANSWERED)
    add(mail("Again", "quoted: The zebraFINCHES sing"), 20, Flag.DRAFT, ("$Junk", "Work"))
    add(mail("Gone", "zebrafinch"), 20)
    add(mail("Base", "See " + "below", more="Bcc: dan@example.test\r\n"), 30, Flag.DELETED)
    add(mail("Last", "Ende", date="Mon, 1 Jan 2029 00:00:00 +0000"), 400, Flag.SEEN)
    settle(store.expunge(box_id, ((5, 5),), deleted_only=False))
    assert bob.say(b"SELECT INBOX").status == b"OK"
    return bob


CASES = [
    (b"ALL", "1 2 3 4 5 6"),
    (b"2:4", "2 3 4"),
    (b"*", "6"),
    (b"5:*", "5 6"),
    (b"UID 4:6", "4 5"),
    (b"UID 100:*", "6"),
    (b"SEEN", "1 6"),
    (b"UNSEEN", "2 3 4 5"),
    (b"ANSWERED", "3"),
    (b"UNANSWERED 1:3", "1 2"),
    (b"FLAGGED", "3"),
    (b"UNFLAGGED NOT 1:2", "4 5 6"),
    (b"DRAFT", "4"),
    (b"UNDRAFT 3:5", "3 5"),
    (b"DELETED", "5"),
    (b"UNDELETED 5:6", "6"),
    (b"KEYWORD $junk", "4"),
    (b"KEYWORD work", "4"),
    (b"UNKEYWORD WORK 3:4", "3"),
    (b"KEYWORD nothere", ""),
    (b"LARGER 2000", "3"),
    (b"SMALLER 2000", "1 2 4 5 6"),
    (b"BEFORE 16-Mar-2030", "3 4 5 6"),
    (b"ON 16-Mar-2030", "2"),
    (b"SINCE 16-Mar-2030", "1 2"),
    (b'SINCE "16-mar-2030" NOT ON 17-MAR-2030', "2"),
    (b"SENTON 16-Mar-2030", "1"),
    (b"SENTBEFORE 2-Jan-2029", "6"),
    (b"SENTSINCE 1-Jan-2029", "1 6"),
    (b"OLDER 900000", "4 5 6"),
    (b"YOUNGER 90000", "1 2"),
    (b"SAVEDATESUPPORTED", "1 2 3 4 5 6"),
    (b"SAVEDSINCE 1-Jan-2030 1", "1"),
    (b"SAVEDBEFORE 1-Jan-2030", ""),
    (b"BODY zebrafinch", "1 4"),
    (b"BODY ZEBRA", "1 4"),
    (b'BODY "the zebrafinch"', "1 4"),
    (b"BODY brafin", "1 4"),
    (b'BODY "see below"', "5"),
    (b"BODY hello", ""),
    (b"TEXT hello", "1"),
    (b"TEXT strange", "2"),
    (b"SUBJECT invoice", "3"),
    (b'SUBJECT "o w"', "1"),
    (b"FROM carl", "3"),
    (b"TO bob@EXAMPLE", "1 2 3 4 5 6"),
    (b"CC cy@", "2"),
    (b"BCC dan", "5"),
    (b"HEADER x-kind range", "2"),
    (b'HEADER X-Kind ""', "2"),
    (b'HEADER Date ""', "1 6"),
    (b"HEADER Message-ID <Again@", "4"),
    (b"OR SEEN DRAFT", "1 4 6"),
    (b"OR (SEEN 1) (BODY sing DRAFT)", "1 4"),
    (b"NOT (SEEN)", "2 3 4 5"),
    (b"NOT NOT SEEN", "1 6"),
    (b"NOT OR SEEN BODY zebra", "2 3 5"),
    (b"FUZZY (SUBJECT invoice)", "3"),
    (b"(1:2) (2:3)", "2"),
    (b"SEEN UNSEEN", ""),
    (b"MODSEQ 100000", ""),
    (b"EMAILID nothing", ""),
    (b"NEW", "2 3 4 5"),
    (b"RECENT", "1 2 3 4 5 6"),
    (b"OLD", ""),
]


@pytest.mark.parametrize(("program", "expected"), CASES, ids=[case[0].decode() for case in CASES])
def test_a_key_finds_what_the_RFC_says_it_does(box: ImapClient, program: bytes, expected: str) -> None:
    answer = box.say(b"SEARCH " + program)
    assert answer.status == b"OK", answer.raw
    assert answer.of(b"SEARCH") == [f"* SEARCH {expected}".strip().encode()]


def test_a_charset_may_be_named_and_the_text_is_compared_whatever_its_case(box: ImapClient) -> None:
    text = "GRÜSS".encode()
    answer = box.say(b"SEARCH CHARSET utf-8 SUBJECT {}", text)
    assert answer.of(b"SEARCH") == [b"* SEARCH"]  # i;unicode-casemap does not fold sharp s (RFC 5051 §2)
    assert box.say(b"SEARCH CHARSET UTF-8 SUBJECT {}", "grüße".encode()).of(b"SEARCH") == [b"* SEARCH 2"]
    assert box.say(b"SEARCH SUBJECT {}", "GRÜ".encode()).of(b"SEARCH") == [b"* SEARCH 2"]


def test_an_unknown_charset_is_refused_with_those_that_there_are(box: ImapClient) -> None:
    answer = box.say(b"SEARCH CHARSET KOI8-R SUBJECT x")
    assert (answer.status, answer.code) == (b"NO", b"BADCHARSET (US-ASCII UTF-8)")


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"NOSUCHKEY",
        b"OR SEEN",
        b"(SEEN",
        b"()",
        b"BEFORE yesterday",
        b"LARGER x",
        b"SEEN )",
        b"0",
        b"KEYWORD \\Seen",
    ],
)
def test_what_is_no_program_is_BAD(box: ImapClient, program: bytes) -> None:
    assert box.say(b"SEARCH " + program).status == b"BAD"


def test_a_program_is_bounded_in_depth_and_length(box: ImapClient) -> None:
    assert box.say(b"SEARCH " + b"NOT " * 5000 + b"SEEN").code == b"LIMIT"
    assert box.say(b"SEARCH " + b"(" * 5000).code == b"LIMIT"
    assert box.say(b"SEARCH " + b"SEEN " * 5000).code == b"LIMIT"
    assert box.say(b"SEARCH BODY {}", b"x" * 100_000).code == b"LIMIT"


def test_UID_SEARCH_gives_UIDs(box: ImapClient) -> None:
    assert box.say(b"UID SEARCH DELETED").of(b"SEARCH") == [b"* SEARCH 6"]


def test_an_id_finds_its_message(box: ImapClient) -> None:
    (line,) = box.say(b"FETCH 3 (EMAILID)").of(b"FETCH")
    email = line.partition(b"EMAILID (")[2].partition(b")")[0]
    assert box.say(b"SEARCH EMAILID " + email).of(b"SEARCH") == [b"* SEARCH 3"]
    (line,) = box.say(b"FETCH 4 (THREADID)").of(b"FETCH")
    thread = line.partition(b"THREADID (")[2].partition(b")")[0]
    assert box.say(b"SEARCH THREADID " + thread).of(b"SEARCH") == [b"* SEARCH 4"]


RETURNS = [
    (b"RETURN () SEEN", b"ALL 1,6"),
    (b"RETURN (ALL) 1:4", b"ALL 1:4"),
    (b"RETURN (MIN MAX) UNSEEN", b"MIN 2 MAX 5"),
    (b"RETURN (COUNT) UNSEEN", b"COUNT 4"),
    (b"RETURN (MIN COUNT) KEYWORD none", b"COUNT 0"),
    (b"RETURN (MIN) KEYWORD none", b""),
    (b"RETURN (PARTIAL 2:3) ALL", b"PARTIAL (2:3 2:3)"),
    (b"RETURN (PARTIAL -1:-2) ALL", b"PARTIAL (-1:-2 5:6)"),
    (b"RETURN (PARTIAL 10:20 COUNT) ALL", b"COUNT 6 PARTIAL (10:20 NIL)"),
    (b"RETURN (RELEVANCY ALL) FUZZY BODY zebra", b"ALL 1,4 RELEVANCY (100 100)"),
]


@pytest.mark.parametrize(("program", "expected"), RETURNS, ids=[case[0].decode() for case in RETURNS])
def test_RETURN_is_answered_by_ESEARCH(box: ImapClient, program: bytes, expected: bytes) -> None:
    answer = box.say(b"SEARCH " + program)
    assert answer.of(b"ESEARCH") == [(b'* ESEARCH (TAG "a%d") ' % box.number + expected).rstrip()], answer.raw
    assert not answer.of(b"SEARCH")


def test_IMAP4rev2_has_ESEARCH_alone(box: ImapClient) -> None:
    box.session.enable("IMAP4REV2")
    answer = box.say(b"UID SEARCH DELETED")
    assert answer.of(b"ESEARCH") == [b'* ESEARCH (TAG "a%d") UID ALL 6' % box.number]


def test_PARTIAL_and_ALL_exclude_each_other(box: ImapClient) -> None:
    assert box.say(b"SEARCH RETURN (ALL PARTIAL 1:2) ALL").status == b"BAD"


def test_what_was_saved_is_meant_by_the_dollar_sign(box: ImapClient) -> None:
    answer = box.say(b"SEARCH RETURN (SAVE) UNSEEN")
    assert answer.status == b"OK"
    assert not answer.of(b"ESEARCH")
    assert box.say(b"SEARCH $ DRAFT").of(b"SEARCH") == [b"* SEARCH 4"]
    assert box.say(b"SEARCH UID $").of(b"SEARCH") == [b"* SEARCH 2 3 4 5"]
    box.say(b"SEARCH RETURN (SAVE MIN MAX) UNSEEN")
    assert box.say(b"SEARCH $").of(b"SEARCH") == [b"* SEARCH 2 5"]
    for saved, kept in ((b"PARTIAL 2:3", "3 4"), (b"PARTIAL -1:-1 MIN", "2 5"), (b"PARTIAL 1:1 COUNT", "2 3 4 5")):
        box.say(b"SEARCH RETURN (SAVE " + saved + b") UNSEEN")  # RFC 9394 §3.2
        assert box.say(b"SEARCH $").untagged == [f"* SEARCH {kept}".encode()], saved
    box.say(b"SEARCH RETURN (SAVE MIN COUNT) UNSEEN")
    assert box.say(b"SEARCH $").of(b"SEARCH") == [b"* SEARCH 2 3 4 5"]


def test_a_failed_search_that_would_have_saved_saves_nothing(box: ImapClient) -> None:
    box.say(b"SEARCH RETURN (SAVE) UNSEEN")
    assert box.say(b"SEARCH RETURN (SAVE) CHARSET koi8-r SUBJECT x").status == b"NO"
    assert box.say(b"SEARCH $").of(b"SEARCH") == [b"* SEARCH"]


def test_a_saved_result_forgets_what_is_expunged(box: ImapClient) -> None:
    box.say(b"SEARCH RETURN (SAVE) ALL")
    assert box.say(b"UID EXPUNGE 6").status == b"OK"
    assert box.say(b"SEARCH $").of(b"SEARCH") == [b"* SEARCH 1 2 3 4 5"]


def test_MODSEQ_is_told_if_it_was_asked_about(box: ImapClient, site: Any) -> None:
    highest = site.store.status(site.accounts["bob"]).highestmodseq
    (line,) = box.say(b'SEARCH MODSEQ "/flags/\\\\draft" all 1').of(b"SEARCH")
    assert line.startswith(b"* SEARCH 1 2 3 4 5 6 (MODSEQ ")
    assert int(line[:-1].split()[-1]) <= highest
    assert "CONDSTORE" in box.session.enabled
    (line,) = box.say(b"SEARCH RETURN (MIN) MODSEQ 1").of(b"ESEARCH")
    (first,) = box.say(b"FETCH 1 (MODSEQ)").of(b"FETCH")
    assert line.endswith(b"MIN 1 MODSEQ " + first.partition(b"MODSEQ (")[2].partition(b")")[0])


def test_UIDONLY_wants_UIDs(box: ImapClient) -> None:
    box.session.enable("UIDONLY")
    assert box.say(b"SEARCH ALL").status == b"BAD"
    assert box.say(b"UID SEARCH 1:3").code == b"UIDREQUIRED"
    assert box.say(b"UID SEARCH UID 1:2").of(b"SEARCH") == [b"* SEARCH 1 2"]


def test_what_was_expunged_by_another_session_is_not_found(box: ImapClient, site: Any) -> None:
    other = site.client("bob")
    other.say(b"SELECT INBOX")
    other.say(b"UID EXPUNGE 6")
    answer = box.say(b"SEARCH ALL")
    assert answer.of(b"SEARCH") == [b"* SEARCH 1 2 3 4 6"]
    assert not answer.of(b"EXPUNGE")
    assert box.say(b"NOOP").of(b"EXPUNGE") == [b"* 5 EXPUNGE"]


def test_fields_that_delivery_put_in_front_are_found_too(bob: ImapClient, site: Any) -> None:
    site.deliver("bob", mail("Delivered", "x"), sender="eve@example.test")
    bob.say(b"SELECT INBOX")
    assert bob.say(b"SEARCH HEADER Delivered-To bob@").of(b"SEARCH") == [b"* SEARCH 1"]
    assert bob.say(b"SEARCH HEADER Return-Path eve").of(b"SEARCH") == [b"* SEARCH 1"]
    assert bob.say(b'SEARCH TEXT "return-path: <eve"').of(b"SEARCH") == [b"* SEARCH 1"]
    assert bob.say(b"SEARCH BODY eve").of(b"SEARCH") == [b"* SEARCH"]
    assert bob.say(b"SEARCH HEADER Delivered-To ann@").of(b"SEARCH") == [b"* SEARCH"]


def test_a_search_of_many_keys_lets_others_run_and_ends_in_time(
    box: ImapClient, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "AT_ONCE", 100)
    clock = site.store.world.clock
    assert box.say(b"SEARCH" + b" UNKEYWORD x" * 100).status == b"OK"
    assert clock.slept.count(0) > 10

    def sleep(self: Any, seconds: float) -> Any:
        self.advance(1)
        return Ready(None)

    monkeypatch.setattr(type(clock), "sleep", sleep)
    refused = box.say(b"SEARCH" + b" UNKEYWORD x" * 900)
    assert (refused.status, refused.code) == (b"NO", b"LIMIT")


BEYOND = [
    (b"7", b""),
    (b"6:7", b" 6"),
    (b"7:*", b" 6"),  # the larger end comes first: 6:7 (RFC 9051 §9, at seq-range)
    (b"*:9", b" 6"),
    (b"NOT 7", b" 1 2 3 4 5 6"),
    (b"OR 9 2", b" 2"),
    (b"1 7", b""),
    (b"UID 8", b""),
    (b"UID 8:*", b" 6"),
]


@pytest.mark.parametrize(("key", "found"), BEYOND)
def test_a_number_that_no_message_has_names_nothing(box: ImapClient, key: bytes, found: bytes) -> None:
    done = box.say(b"SEARCH " + key)
    assert (done.status, done.untagged) == (b"OK", [b"* SEARCH" + found])


@pytest.mark.parametrize("key", [b"1", b"*", b"1:*", b"*:5", b"NOT *", b"UID *", b"UID 1:*", b"UIDAFTER 1", b"$"])
def test_in_an_empty_mailbox_a_star_names_nothing(bob: ImapClient, key: bytes) -> None:
    assert bob.say(b"SELECT Trash").status == b"OK"
    done = bob.say(b"SEARCH " + key)
    assert (done.status, done.untagged) == (b"OK", [b"* SEARCH"])


@pytest.mark.parametrize("key", [b"0", b"0:1", b"1,,2", b"2:1:3", b"4294967296", b"UID 0", b"1,"])
def test_what_is_no_set_of_numbers_is_BAD(box: ImapClient, key: bytes) -> None:
    assert box.say(b"SEARCH " + key).status == b"BAD"


def test_PARTIAL_stands_once_and_its_range_is_told_in_order(box: ImapClient) -> None:
    for given, told in ((b"1:2", b"1:2"), (b"2:1", b"1:2"), (b"-2:-1", b"-1:-2"), (b"-1:-2", b"-1:-2")):
        # RFC 9394 §3.1, §4: either way it is the same range
        assert b" PARTIAL (" + told + b" " in box.say(b"SEARCH RETURN (PARTIAL " + given + b") ALL").untagged[0]
    assert box.say(b"SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL").status == b"BAD"
