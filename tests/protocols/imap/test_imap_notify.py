"""NOTIFY (RFC 5465): the command, and what is told of the selected mailbox."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.messages import Flag
from worldmail.protocols.imap.notify import watch
from worldmail.testing.imap import ImapClient, responses

MAIL = b"Subject: Hello\r\nFrom: x@y.test\r\n\r\ntext\r\n"
MESSAGES = b"(MessageNew MessageExpunge)"
ALL = b"(MessageNew MessageExpunge FlagChange)"


def told(client: ImapClient) -> list[bytes]:
    """What came unasked since the client said something, or was looked at, last; RECENT left out."""
    return without_recent(responses(client.told()))


def without_recent(lines: list[bytes]) -> list[bytes]:
    """RECENT comes beside EXISTS; how it is counted is the view's own affair."""
    return [line for line in lines if not line.endswith(b" RECENT")]


def notify(client: ImapClient, what: bytes) -> ImapClient:
    """Give NOTIFY SET and look at nothing of it."""
    answer = client.say(b"NOTIFY SET " + what)
    assert answer.status == b"OK", answer
    client.told()
    return client


@pytest.fixture
def other(site: Any) -> ImapClient:
    """Bob at another place."""
    client: ImapClient = site.client()
    return client


def add(site: Any, mailbox: str = "INBOX", name: str = "bob", **more: Any) -> None:
    site.store.add(site.accounts[name], MAIL, mailbox=mailbox, **more)


# --- the selected mailbox ---


def test_new_messages_are_told_at_once(bob: ImapClient, site: Any) -> None:
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED " + MESSAGES + b")")
    add(site)
    assert told(bob) == [b"* 1 EXISTS"]


def test_what_was_asked_for_is_fetched_of_them(bob: ImapClient, site: Any) -> None:
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge))")
    add(site)
    assert told(bob) == [
        b"* 1 EXISTS",
        b"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: Hello\r\n\r\n)",
    ]
    add(site)
    assert [line.split(b" (")[0] for line in told(bob)] == [b"* 2 EXISTS", b"* 2 FETCH"]


def test_what_comes_during_a_command_is_fetched_right_behind_it(bob: ImapClient, site: Any) -> None:
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED (MessageNew (FLAGS) MessageExpunge))")
    bob.conductor.peer.wake = lambda: None  # the driver has not come to it yet
    add(site)
    answer = bob.say(b"NOOP")
    words = [line.split(b" ")[2] for line in without_recent(responses(answer.raw))]
    assert words == [b"EXISTS", b"NOOP", b"FETCH"]


def test_what_the_client_adds_itself_is_not_fetched(bob: ImapClient, site: Any) -> None:
    add(site)
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED (MessageNew (FLAGS) MessageExpunge))")
    answer = bob.say(b"COPY 1 INBOX")
    assert answer.of(b"EXISTS") == [b"* 2 EXISTS"]
    assert answer.of(b"FETCH") == told(bob) == []


def test_what_was_expunged_is_told_at_once(bob: ImapClient, other: ImapClient, site: Any) -> None:
    add(site, flags=Flag.DELETED)
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED " + MESSAGES + b")")
    other.say(b"SELECT INBOX")
    other.say(b"EXPUNGE")
    assert told(bob) == [b"* 1 EXPUNGE"]


def test_with_SELECTED_DELAYED_it_is_told_where_numbers_may_change(
    bob: ImapClient, other: ImapClient, site: Any
) -> None:
    add(site, flags=Flag.DELETED)
    add(site)
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED-DELAYED " + MESSAGES + b")")
    other.say(b"SELECT INBOX")
    other.say(b"EXPUNGE")
    assert told(bob) == []
    assert bob.say(b"FETCH 2 UID").untagged == [b"* 2 FETCH (UID 2)"]
    assert bob.say(b"NOOP").untagged == [b"* 1 EXPUNGE"]
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    bob.idle()
    other.say(b"EXPUNGE")
    assert told(bob) == [b"* 1 EXPUNGE"]


def test_flags_are_told_if_they_were_asked_for(bob: ImapClient, other: ImapClient, site: Any) -> None:
    add(site)
    bob.say(b"SELECT INBOX")
    other.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED " + MESSAGES + b")")
    other.say(b"STORE 1 +FLAGS (\\Flagged)")
    assert told(bob) == bob.say(b"NOOP").untagged == []
    notify(bob, b"(SELECTED " + ALL + b")")
    other.say(b"STORE 1 +FLAGS (\\Answered)")
    (line,) = told(bob)
    assert b"UID 1" in line and b"\\Answered" in line


@pytest.mark.parametrize("what", [b"NONE", b"SET (SELECTED NONE)", b"SET (PERSONAL " + MESSAGES + b")"])
def test_nothing_is_told_of_the_selected_mailbox_if_nothing_was_asked_for(
    bob: ImapClient, other: ImapClient, site: Any, what: bytes
) -> None:
    add(site, flags=Flag.DELETED)
    bob.say(b"SELECT INBOX")
    bob.say(b"NOTIFY " + what)
    bob.told()
    add(site)
    other.say(b"SELECT INBOX")
    other.say(b"EXPUNGE")
    assert told(bob) == bob.say(b"NOOP").untagged == []
    bob.idle()
    add(site)
    assert told(bob) == []
    assert bob.done().status == b"OK"


def test_what_the_client_expunges_itself_is_answered_whatever_it_wants_to_be_told(bob: ImapClient, site: Any) -> None:
    add(site, flags=Flag.DELETED)
    bob.say(b"SELECT INBOX")
    bob.say(b"NOTIFY NONE")
    assert bob.say(b"EXPUNGE").untagged == [b"* 1 EXPUNGE"]


def test_NOTIFY_tells_first_what_is_new_already(bob: ImapClient, site: Any) -> None:
    bob.say(b"SELECT INBOX")
    add(site)
    assert without_recent(bob.say(b"NOTIFY SET (SELECTED NONE)").untagged) == [b"* 1 EXISTS"]


def test_it_is_of_whichever_mailbox_is_selected_then(bob: ImapClient, site: Any) -> None:
    notify(bob, b"(SELECTED " + MESSAGES + b")")
    bob.say(b"SELECT Sent")
    add(site, "Sent")
    assert told(bob)[0] == b"* 1 EXISTS"
    bob.say(b"SELECT INBOX")
    add(site, "Sent")
    assert told(bob) == []
    add(site)
    assert told(bob)[0] == b"* 1 EXISTS"


# --- the command ---


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b" SET",
        b" SET ()",
        b" SET STATUS",
        b" NONE x",
        b" MAYBE",
        b" SET (SELECTED)",
        b" SET (SELECTED ())",
        b" SET (SELECTED (MessageNew))",
        b" SET (SELECTED (MessageExpunge))",
        b" SET (SELECTED (FlagChange))",
        b" SET (PERSONAL (MessageNew FlagChange))",
        b" SET (SELECTED (MailboxName))",
        b" SET (SELECTED NONE) (SELECTED-DELAYED NONE)",
        b" SET (EVERYWHERE " + MESSAGES + b")",
        b" SET (SUBTREE () " + MESSAGES + b")",
        b" SET (MAILBOXES " + MESSAGES + b")",
        b" SET (PERSONAL SOME)",
        b" SET (SELECTED (MessageNew (NOTHING) MessageExpunge))",
        b" SET (PERSONAL NONE) x",
        b" SET (PERSONAL (MessageNew (UID) MessageExpunge))",
    ],
)
def test_what_is_no_NOTIFY_is_BAD(bob: ImapClient, rest: bytes) -> None:
    assert bob.say(b"NOTIFY" + rest).status == b"BAD"


@pytest.mark.parametrize("event", [b"AnnotationChange", b"Weather"])
def test_events_that_are_not_offered_are_refused_with_those_that_are(bob: ImapClient, event: bytes) -> None:
    answer = bob.say(b"NOTIFY SET (PERSONAL (MessageNew " + event + b" MessageExpunge))")
    assert (answer.status, answer.code) == (
        b"NO",
        b"BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange"
        b" ServerMetadataChange)",
    )


def test_too_much_is_NOTIFICATIONOVERFLOW(bob: ImapClient) -> None:
    groups = b" ".join([b"(PERSONAL NONE)"] * 101)
    assert bob.say(b"NOTIFY SET " + groups).code == b"NOTIFICATIONOVERFLOW"
    names = b" ".join(b"m%d" % number for number in range(1001))
    assert bob.say(b"NOTIFY SET (MAILBOXES (" + names + b") NONE)").code == b"NOTIFICATIONOVERFLOW"


def test_what_becomes_too_much_is_told_of_no_more(bob: ImapClient, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))")
    monkeypatch.setattr(watch, "MOST_WATCHED", 5)
    site.client("bob").say(b"CREATE one-more")
    assert told(bob) == [b"* OK [NOTIFICATIONOVERFLOW] These are too many mailboxes to watch"]  # RFC 5465 §5.8
    add(site)
    assert told(bob) == []
    assert bob.say(b"NOOP").status == b"OK"


def test_what_cannot_be_looked_at_elsewhere_keeps_back_no_news_of_the_selected_mailbox(
    bob: ImapClient, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob.say(b"SELECT INBOX")
    notify(bob, b"(SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))")

    def by_id(*_: object) -> object:
        raise TemporaryFailure

    monkeypatch.setattr(type(site.store.world.folders), "by_id", by_id)
    add(site, "Sent")
    add(site)
    lines = told(bob) + bob.say(b"NOOP").untagged
    assert b"* 1 EXISTS" in lines
    assert any(line.startswith(b"* STATUS Sent (UIDNEXT 2 MESSAGES 1") for line in lines)


def test_words_are_taken_in_any_case(bob: ImapClient, site: Any) -> None:
    notify(bob, b"status (Personal (messagenew MESSAGEEXPUNGE))")
    add(site)
    assert len(told(bob)) == 1


def test_it_is_announced(bob: ImapClient) -> None:
    assert b"NOTIFY" in bob.say(b"CAPABILITY").raw.split()


# --- searches that are kept up to date (§7) ---


@pytest.mark.parametrize("watched", [False, True])
def test_UPDATE_fetches_what_arrives_and_is_found(bob: ImapClient, site: Any, watched: bool) -> None:
    bob.say(b"SELECT INBOX")
    if watched:
        notify(bob, b"(SELECTED " + MESSAGES + b")")
    update = b"RETURN (COUNT UPDATE (UID BODY.PEEK[HEADER.FIELDS (FROM)])) FLAGGED"
    assert bob.say(b"SEARCH " + update).of(b"ESEARCH") == [b'* ESEARCH (TAG "a%d") COUNT 0' % bob.number]
    tag = bob.number
    bob.told()
    add(site)
    if watched:
        assert told(bob) == [b"* 1 EXISTS"]
    add(site, flags=Flag.FLAGGED)
    lines = told(bob) if watched else without_recent(bob.say(b"NOOP").untagged)
    assert lines == [
        b"* 2 EXISTS",
        b"* 2 FETCH (UID 2 BODY[HEADER.FIELDS (FROM)] {18}\r\nFrom: x@y.test\r\n\r\n)",
        b'* ESEARCH (TAG "a%d") ADDTO (0 2)' % tag,
    ]
    # What comes in by its flags alone is not fetched.
    assert bob.say(b"STORE 1 +FLAGS (\\Flagged)").of(b"ESEARCH") == [b'* ESEARCH (TAG "a%d") ADDTO (0 1)' % tag]


@pytest.mark.parametrize("space", [b"", b" "])
def test_what_UPDATE_fetches_may_stand_right_behind_it(bob: ImapClient, site: Any, space: bytes) -> None:
    bob.say(b"SELECT INBOX")
    assert bob.say(b"SEARCH RETURN (UPDATE" + space + b"(UID FLAGS) COUNT) ALL").status == b"OK"
    add(site)
    assert bob.say(b"NOOP").of(b"FETCH") == [b"* 1 FETCH (UID 1 FLAGS (\\Recent))"]
    for wrong in (b"(UPDATE  (UID))", b"(UPDATE())", b"(UPDATE(UID)COUNT)", b"(COUNT(UID))", b"(UPDATE(UID)"):
        assert bob.say(b"SEARCH RETURN " + wrong + b" ALL").status == b"BAD", wrong


def test_UPDATE_of_a_sort_fetches_too(bob: ImapClient, site: Any) -> None:
    bob.say(b"SELECT INBOX")
    bob.say(b"UID SORT RETURN (UPDATE (FLAGS)) (SUBJECT) UTF-8 ALL")
    add(site, flags=Flag.FLAGGED)
    words = [line.split(b" ")[1:3] for line in without_recent(bob.say(b"NOOP").untagged)]
    assert words == [[b"1", b"EXISTS"], [b"1", b"FETCH"], [b"ESEARCH", b"(TAG"]]


def test_what_is_too_large_to_be_fetched_unasked_is_left_to_the_client(bob: ImapClient, site: Any) -> None:
    bob.say(b"SELECT INBOX")
    bob.say(b"SEARCH RETURN (UPDATE (BODY.PEEK[])) ALL")
    account = site.accounts["bob"]
    site.store.add(account, MAIL, MAIL + b"x" * (1 << 20) + b"\r\n", MAIL)
    answer = bob.say(b"NOOP")
    assert len(answer.of(b"FETCH")) == 1
    assert answer.of(b"ESEARCH")[0].endswith(b"ADDTO (0 1:3)")
