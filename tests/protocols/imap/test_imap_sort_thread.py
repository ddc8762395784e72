"""SORT, THREAD, and searches in several mailboxes."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.protocols.imap.search import evaluate
from worldmail.protocols.imap.verbs import sort, thread
from worldmail.testing.imap import ImapClient
from worldmail.testing.real_store import settle


def mail(number: int, subject: str, *, sender: str, date: str = "", more: str = "", text: str = "x") -> bytes:
    dated = f"Date: {date}\r\n" if date else ""
    return (
        f"{dated}From: {sender}\r\nTo: bob@example.test\r\nSubject: {subject}\r\n{more}"
        f"Message-ID: <m{number}@example.test>\r\n\r\n{text}\r\n"
    ).encode()


MAILS = (
    mail(
        1,
        "Re: Cats",
        sender='"Zoe" <b@example.test>',
        date="Tue, 1 Jan 2030 10:00:00 +0000",
        more="References: <m2@example.test>\r\n",
    ),
    mail(2, "Cats", sender="Adam <c@example.test>", date="Tue, 1 Jan 2030 09:00:00 +0000", text="x" * 500),
    mail(
        3,
        "=?utf-8?q?=C3=84pfel?=",
        sender="a@example.test",
        date="Tue, 1 Jan 2030 11:00:00 +0000",
        more="Cc: z@example.test\r\n",
    ),
    mail(4, "Fwd: cats", sender="d@example.test", more="In-Reply-To: <m1@example.test>\r\n", text="y" * 100),
)


@pytest.fixture
def box(bob: ImapClient, site: Any) -> ImapClient:
    """INBOX of four messages, which arrived on 2 January 2030 in the order 3 1 4 2."""
    store = site.store
    box_id = store.status(site.accounts["bob"]).id
    arrived = (1893549602, 1893549604, 1893549601, 1893549603)
    for octets, moment in zip(MAILS, arrived, strict=True):
        settle(store.world.messages.append(box_id, [store.appending(octets, received=moment)]))
    assert bob.say(b"SELECT INBOX").status == b"OK"
    return bob


SORTS = [
    (b"(ARRIVAL)", "3 1 4 2"),
    (b"(REVERSE ARRIVAL)", "2 4 1 3"),
    (b"(DATE)", "2 1 3 4"),
    (b"(FROM)", "3 1 2 4"),
    (b"(SUBJECT)", "3 1 2 4"),
    (b"(SUBJECT REVERSE DATE)", "3 4 1 2"),
    (b"(REVERSE SIZE)", "2 4 1 3"),
    (b"(CC ARRIVAL)", "1 4 2 3"),
    (b"(TO)", "1 2 3 4"),
    (b"(DISPLAYFROM)", "3 2 4 1"),
    (b"(DISPLAYTO REVERSE ARRIVAL)", "2 4 1 3"),
]


@pytest.mark.parametrize(("criteria", "expected"), SORTS, ids=[case[0].decode() for case in SORTS])
def test_messages_come_in_the_order_of_the_keys(box: ImapClient, criteria: bytes, expected: str) -> None:
    answer = box.say(b"SORT " + criteria + b" UTF-8 ALL")
    assert answer.of(b"SORT") == [b"* SORT " + expected.encode()], answer.raw


def test_SORT_takes_a_program_and_gives_UIDs_if_asked(box: ImapClient) -> None:
    assert box.say(b"UID SORT (REVERSE ARRIVAL) US-ASCII FROM example NOT UID 1").of(b"SORT") == [b"* SORT 2 4 3"]
    assert box.say(b"SORT (ARRIVAL) utf-8 SEEN").of(b"SORT") == [b"* SORT"]


def test_SORT_by_RELEVANCY_leaves_what_is_alike_in_its_order(box: ImapClient) -> None:
    assert box.say(b"SORT (RELEVANCY) UTF-8 FUZZY FROM example").of(b"SORT") == [b"* SORT 1 2 3 4"]
    assert box.say(b"SORT (RELEVANCY REVERSE ARRIVAL) UTF-8 FUZZY FROM example").of(b"SORT") == [b"* SORT 2 4 1 3"]


def test_ESORT_keeps_the_order_and_takes_first_and_last_of_it(box: ImapClient) -> None:
    (line,) = box.say(b"SORT RETURN (ALL MIN MAX COUNT) (REVERSE ARRIVAL) UTF-8 ALL").of(b"ESEARCH")
    assert line.endswith(b"MIN 2 MAX 3 ALL 2,4,1,3 COUNT 4")
    (line,) = box.say(b"UID SORT RETURN (PARTIAL 1:2) (ARRIVAL) UTF-8 ALL").of(b"ESEARCH")
    assert line.endswith(b" UID PARTIAL (1:2 3,1)")


@pytest.mark.parametrize(
    "wrong", [b"() UTF-8 ALL", b"(NONE) UTF-8 ALL", b"(REVERSE) UTF-8 ALL", b"(DATE) ALL", b"DATE UTF-8 ALL"]
)
def test_what_is_no_sort_is_refused(box: ImapClient, wrong: bytes) -> None:
    assert box.say(b"SORT " + wrong).status in (b"BAD", b"NO")


def test_threads_by_reference_join_what_refers_to_each_other(box: ImapClient) -> None:
    assert box.say(b"THREAD REFERENCES UTF-8 ALL").of(b"THREAD") == [b"* THREAD (2 1 4)(3)"]
    assert box.say(b"THREAD REFS UTF-8 ALL").of(b"THREAD") == [b"* THREAD (3)(2 1 4)"]
    assert box.say(b"UID THREAD REFERENCES UTF-8 UID 1:2").of(b"THREAD") == [b"* THREAD (2 1)"]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_messages_may_be_looked_at_in_several_goes(box: ImapClient, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(evaluate, "ROWS", rows)
    monkeypatch.setattr(evaluate, "SUMMARIES", 1)
    for module in (sort, thread):
        monkeypatch.setattr(module, "AT_ONCE", 2)
    monkeypatch.setattr(sort, "NUMBERS", 2)
    assert box.say(b"SORT (SUBJECT REVERSE DATE) UTF-8 ALL").of(b"SORT") == [b"* SORT 3 4 1 2"]
    assert box.say(b"SORT (REVERSE ARRIVAL) UTF-8 LARGER 1").of(b"SORT") == [b"* SORT 2 4 1 3"]
    assert box.say(b"THREAD REFERENCES UTF-8 ALL").of(b"THREAD") == [b"* THREAD (2 1 4)(3)"]
    assert box.say(b"THREAD REFS UTF-8 SENTSINCE 1-Jan-2029").of(b"THREAD") == [b"* THREAD (3)(2 1)"]


def test_threads_by_subject_have_one_level(box: ImapClient) -> None:
    assert box.say(b"THREAD ORDEREDSUBJECT UTF-8 ALL").of(b"THREAD") == [b"* THREAD (2 (1)(4))(3)"]


def test_no_messages_no_threads(box: ImapClient) -> None:
    assert box.say(b"THREAD REFERENCES UTF-8 SEEN").of(b"THREAD") == [b"* THREAD"]
    assert box.say(b"THREAD NONE UTF-8 ALL").status == b"BAD"


def test_ESEARCH_looks_into_several_mailboxes_and_tells_of_those_in_which_something_is(
    box: ImapClient, site: Any
) -> None:
    site.store.add(site.accounts["bob"], mail(9, "Cats again", sender="e@example.test"), mailbox="Sent")
    answer = box.say(b"ESEARCH IN (personal) RETURN (ALL) SUBJECT cats")
    inbox, sent = (site.store.status(site.accounts["bob"], name).uidvalidity for name in ("INBOX", "Sent"))
    tag = b"a%d" % box.number
    assert answer.of(b"ESEARCH") == [
        b'* ESEARCH (TAG "%b" MAILBOX INBOX UIDVALIDITY %d) UID ALL 1:2,4' % (tag, inbox),
        b'* ESEARCH (TAG "%b" MAILBOX Sent UIDVALIDITY %d) UID ALL 1' % (tag, sent),
    ]
    assert len(box.say(b"ESEARCH IN (mailboxes (Sent Drafts)) SUBJECT cats").of(b"ESEARCH")) == 1
    assert len(box.say(b"ESEARCH IN (inboxes mailboxes Sent) RETURN (COUNT) ALL").of(b"ESEARCH")) == 2
    assert len(box.say(b"ESEARCH SUBJECT again").of(b"ESEARCH")) == 0
    assert len(box.say(b"ESEARCH IN (selected) SUBJECT cats").of(b"ESEARCH")) == 1


def test_ESEARCH_takes_sequence_numbers_beyond_those_that_there_are_as_well(box: ImapClient) -> None:
    assert box.say(b"ESEARCH 2:9 UNSEEN").untagged[0].endswith(b" UID ALL 2:4")  # RFC 7377 §2
    assert box.say(b"ESEARCH 9:12 UNSEEN").untagged == []


def test_ESEARCH_finds_in_the_selected_mailbox_what_came_since_it_was_selected(box: ImapClient, site: Any) -> None:
    site.store.add(site.accounts["bob"], MAILS[0])
    done = box.say(b"ESEARCH UNSEEN")
    assert done.untagged[0] == b"* 5 EXISTS"
    assert done.untagged[-1].endswith(b" UID ALL 1:5")


def test_ESEARCH_of_the_selected_mailbox_saves_and_keeps_up_to_date(box: ImapClient) -> None:
    assert box.say(b"ESEARCH IN (selected) RETURN (SAVE) SUBJECT cats").untagged == []
    assert box.say(b"SEARCH $").untagged == [b"* SEARCH 1 2 4"]
    assert box.say(b"ESEARCH RETURN (CONTEXT COUNT) $").untagged[0].endswith(b" UID COUNT 3")
    found = box.say(b"ESEARCH RETURN (UPDATE COUNT) UNSEEN").untagged[0]
    updated = box.say(b"STORE 1 +FLAGS (\\Seen)").of(b"ESEARCH")
    assert updated == [found.replace(b"COUNT 4", b"REMOVEFROM (0 1)")]


@pytest.mark.parametrize(
    "arguments",
    [b"IN (personal) RETURN (SAVE) ALL", b"IN (personal) $", b"IN (selected-delayed) ALL", b"IN (nowhere) ALL"],
)
def test_ESEARCH_in_several_mailboxes_saves_nothing(box: ImapClient, arguments: bytes) -> None:
    assert box.say(b"ESEARCH " + arguments).status == b"BAD"  # RFC 7377 §2.2


def test_ESEARCH_reads_no_mailbox_without_the_right_to(box: ImapClient, site: Any) -> None:
    ann = site.client("ann")
    site.store.add(site.accounts["ann"], mail(9, "Cats of hers", sender="e@example.test"), mailbox="Sent")
    asked = b'ESEARCH IN (subtree "Other Users") SUBJECT cats'
    assert not box.say(asked).of(b"ESEARCH")
    ann.say(b"SETACL Sent bob@example.test l")
    assert not box.say(asked).of(b"ESEARCH")
    ann.say(b"SETACL Sent bob@example.test lr")
    assert len(box.say(asked).of(b"ESEARCH")) == 1


def test_ESEARCH_without_a_selected_mailbox_needs_to_be_told_where(bob: ImapClient) -> None:
    assert bob.say(b"ESEARCH ALL").status == b"BAD"
    assert bob.say(b"ESEARCH IN (inboxes) ALL").status == b"OK"


def test_a_saved_sort_keeps_what_was_told_of_it(box: ImapClient) -> None:
    for saved, kept in ((b"MIN", b"3"), (b"PARTIAL 2:3", b"1 4"), (b"MAX", b"2"), (b"ALL", b"1 2 3 4")):
        box.say(b"SORT RETURN (SAVE " + saved + b") (ARRIVAL) UTF-8 ALL")
        assert box.say(b"SEARCH $").untagged == [b"* SEARCH " + kept], saved
    assert box.say(b"SORT RETURN (SAVE) (ARRIVAL) KOI8-R ALL").status == b"NO"
    assert box.say(b"SEARCH $").untagged == [b"* SEARCH"]  # RFC 5182 §2.1


def test_ESEARCH_finds_in_a_mailbox_that_it_names_with_the_right_r_alone(box: ImapClient, site: Any) -> None:
    assert box.say(b"SETACL INBOX ann@example.test r").status == b"OK"
    ann = site.client("ann")
    name = b'"Other Users/bob@example.test/INBOX"'
    assert len(ann.say(b"ESEARCH IN (mailboxes " + name + b") ALL").untagged) == 1  # RFC 7377 §2.2
    assert ann.say(b"ESEARCH IN (subtree " + name + b") ALL").untagged == []
    for nowhere in (b'"Other Users/nobody@example.test/INBOX"', b'"a//b"'):
        assert ann.say(b"ESEARCH IN (mailboxes " + nowhere + b") ALL").raw.endswith(b" OK ESEARCH completed\r\n")


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        (b"subtree a", b"a a/b a/b/c"),
        (b"subtree-one a", b"a a/b"),
        (b"subtree (a/b d)", b"a/b a/b/c d"),
        (b"subtree a mailboxes (d a/b) inboxes", b"INBOX a a/b a/b/c d"),
        (b"subtree-one a/b subtree-one x", b"a/b a/b/c"),
        (b"subscribed mailboxes ab", b"INBOX ab"),
    ],
)
def test_ESEARCH_looks_into_a_mailbox_once_whatever_names_it(
    box: ImapClient, site: Any, scopes: bytes, names: bytes
) -> None:
    for name in ("a/b/c", "ab", "d"):
        box.say(b"CREATE " + name.encode())
    for name in ("a", "a/b", "a/b/c", "ab", "d"):
        site.store.add(site.accounts["bob"], MAILS[0], mailbox=name)
    lines = box.say(b"ESEARCH IN (" + scopes + b") RETURN (COUNT) ALL").of(b"ESEARCH")
    assert sorted(line.split(b"MAILBOX ")[1].split(b" ")[0] for line in lines) == names.split(b" ")


@pytest.mark.parametrize("scopes", [b"personal " * 101, b"mailboxes (%b) " % b" ".join([b"x"] * 251) * 2])
def test_ESEARCH_takes_so_many_filters_and_names_and_no_more(box: ImapClient, scopes: bytes) -> None:
    assert box.say(b"ESEARCH IN (" + scopes[:-1] + b") ALL").code == b"LIMIT"
