"""Searches whose results are kept up to date (RFC 5267)."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.errors import SearchTooLong
from worldmail.testing.imap import ImapClient


def mail(subject: str) -> bytes:
    return f"From: a@example.test\r\nSubject: {subject}\r\n\r\nx\r\n".encode()


@pytest.fixture
def box(bob: ImapClient, site: Any) -> ImapClient:
    """INBOX of three messages with the subjects b, d and f."""
    site.store.add(site.accounts["bob"], *map(mail, "bdf"))
    assert bob.say(b"SELECT INBOX").status == b"OK"
    return bob


def test_what_comes_to_the_results_and_what_leaves_them_is_told(box: ImapClient, site: Any) -> None:
    box.say(b"UID SEARCH RETURN (UPDATE COUNT) UNSEEN")
    tag = b"a%d" % box.number
    assert box.say(b"STORE 2 +FLAGS (\\Seen)").of(b"ESEARCH") == [b'* ESEARCH (TAG "%b") UID REMOVEFROM (0 2)' % tag]
    assert box.say(b"STORE 2 -FLAGS (\\Seen)").of(b"ESEARCH") == [b'* ESEARCH (TAG "%b") UID ADDTO (0 2)' % tag]
    site.store.add(site.accounts["bob"], mail("x"), mail("y"))
    assert box.say(b"NOOP").of(b"ESEARCH") == [b'* ESEARCH (TAG "%b") UID ADDTO (0 4:5)' % tag]
    assert not box.say(b"NOOP").of(b"ESEARCH")


def test_changes_of_other_sessions_reach_it_in_IDLE_too(box: ImapClient, site: Any) -> None:
    box.say(b"UID SEARCH RETURN (UPDATE ALL) FLAGGED")
    other = site.client("bob")
    other.say(b"SELECT INBOX")
    other.say(b"STORE 1 +FLAGS (\\Flagged)")
    lines = box.say(b"NOOP").untagged
    assert lines[-1].endswith(b"UID ADDTO (0 1)")
    assert b"FETCH" in lines[0]


def test_a_removal_is_told_before_the_numbers_move(box: ImapClient, site: Any) -> None:
    box.say(b"SEARCH RETURN (UPDATE ALL) ALL")
    other = site.client("bob")
    other.say(b"SELECT INBOX")
    other.say(b"STORE 1,3 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    lines = box.say(b"NOOP").untagged
    assert lines[0].endswith(b"REMOVEFROM (0 1,3)"), lines
    assert lines[1:3] == [b"* 3 EXPUNGE", b"* 1 EXPUNGE"]


def test_a_removal_is_told_behind_the_flags_that_it_comes_from(box: ImapClient, site: Any) -> None:
    box.say(b"SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 UNFLAGGED")
    other = site.client("bob")
    other.say(b"SELECT INBOX")
    other.say(b"STORE 2 +FLAGS (\\Flagged)")
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    words = [line.split(b") ")[-1] if b"ESEARCH" in line else line[:9] for line in box.say(b"NOOP").untagged]
    # The first is of the last of three results, the second of the second of the two that are left, by its new number.
    assert words == [b"REMOVEFROM (3 1)", b"* 1 EXPUN", b"* 1 FETCH", b"REMOVEFROM (2 1)"]


def test_of_a_sort_the_position_of_each_is_told(box: ImapClient, site: Any) -> None:
    box.say(b"UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 ALL")
    tag = b"a%d" % box.number
    site.store.add(site.accounts["bob"], mail("c"), mail("g"))
    assert box.say(b"NOOP").of(b"ESEARCH") == [b'* ESEARCH (TAG "%b") UID ADDTO (1 5 4 4)' % tag]


def test_CANCELUPDATE_ends_it_and_so_does_another_mailbox(box: ImapClient, site: Any) -> None:
    box.say(b"UID SEARCH RETURN (UPDATE ALL) UNSEEN")
    tag = b"a%d" % box.number
    assert box.say(b'CANCELUPDATE "%b" "zzz"' % tag).status == b"OK"
    assert not box.say(b"STORE 1 +FLAGS (\\Seen)").of(b"ESEARCH")
    box.say(b"UID SEARCH RETURN (UPDATE ALL) UNSEEN")
    box.say(b"SELECT INBOX")
    assert not box.say(b"STORE 2 +FLAGS (\\Seen)").of(b"ESEARCH")


def test_too_many_are_answered_and_not_kept(box: ImapClient) -> None:
    for _ in range(5):
        assert not box.say(b"UID SEARCH RETURN (UPDATE COUNT) UNSEEN").of(b"NO")
    answer = box.say(b"UID SEARCH RETURN (UPDATE COUNT) UNSEEN")
    assert answer.status == b"OK"
    assert answer.of(b"ESEARCH")
    assert [line for line in answer.untagged if b'[NOUPDATE "a%d"]' % box.number in line]


def test_of_a_sort_the_position_is_told_of_what_leaves_it_too(box: ImapClient) -> None:
    box.say(b"UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 UNSEEN")
    told = box.say(b"STORE 1,3 +FLAGS (\\Seen)").of(b"ESEARCH")
    assert [line.partition(b"UID ")[2] for line in told] == [b"REMOVEFROM (3 1 1 3)"]


def test_messages_that_were_named_by_number_stay_the_same(box: ImapClient) -> None:
    box.say(b"UID SEARCH RETURN (SAVE) 3")
    box.say(b"UID SEARCH RETURN (UPDATE) OR 2 $")
    box.say(b"STORE 1 +FLAGS (\\Deleted)")
    box.say(b"UID SEARCH RETURN (SAVE) ALL")
    assert not box.say(b"EXPUNGE").of(b"ESEARCH")  # RFC 5267 §4.3


def test_a_tag_that_is_told_updates_under_is_not_taken_again(box: ImapClient) -> None:
    assert b"t OK " in box.send(b"t SEARCH RETURN (UPDATE) ALL\r\n")
    assert b"t BAD " in box.send(b"t SORT RETURN (UPDATE) (DATE) UTF-8 ALL\r\n")
    assert b"t OK " in box.send(b"t SEARCH ALL\r\n")
    assert box.say(b'CANCELUPDATE "t"').status == b"OK"
    assert b"t OK " in box.send(b"t SEARCH RETURN (UPDATE) ALL\r\n")


@pytest.fixture
def unsearchable(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on looking into texts takes too long."""

    async def holding(*_: object, **__: object) -> None:
        raise SearchTooLong

    monkeypatch.setattr(type(site.store.world.search), "holding", holding)


@pytest.mark.parametrize(
    "command", [b"SEARCH BODY x", b"UID SORT (DATE) UTF-8 BODY x", b"THREAD REFS UTF-8 BODY x", b"ESEARCH BODY x"]
)
@pytest.mark.usefixtures("unsearchable")
def test_what_is_new_is_told_though_the_search_is_refused(box: ImapClient, site: Any, command: bytes) -> None:
    site.store.add(site.accounts["bob"], mail("x"))
    done = box.say(command)
    assert (done.status, done.code, done.untagged[0]) == (b"NO", b"LIMIT", b"* 4 EXISTS")


def test_what_cannot_be_kept_up_to_date_any_more_takes_no_news_with_it(
    box: ImapClient, site: Any, request: pytest.FixtureRequest
) -> None:
    box.say(b"SEARCH RETURN (UPDATE) BODY x")
    tag = b"a%d" % box.number
    request.getfixturevalue("unsearchable")
    site.store.add(site.accounts["bob"], mail("x"))
    assert box.say(b"NOOP").untagged[0::2] == [b"* 4 EXISTS", b'* NO [NOUPDATE "%b"] The search takes too long' % tag]
    assert len(box.say(b"NOOP").untagged) == 0


@pytest.mark.parametrize("beside", [b"UPDATE", b"CONTEXT", b"CONTEXT UPDATE"])
@pytest.mark.parametrize("command", [b"SEARCH %b ALL", b"UID SORT %b (DATE) UTF-8 ALL", b"ESEARCH %b ALL"])
def test_SAVE_suppresses_the_response_though_results_are_kept_up_to_date(
    box: ImapClient, command: bytes, beside: bytes
) -> None:
    answer = box.say(command % b"RETURN (SAVE %b)" % beside)
    assert (answer.status, answer.of(b"ESEARCH")) == (b"OK", [])
    assert box.say(b"UID SEARCH RETURN (COUNT) UID $").untagged[0].endswith(b" COUNT 3")
    assert len(box.say(command % b"RETURN (SAVE MIN %b)" % beside).of(b"ESEARCH")) == 1
    assert box.say(b"UID SEARCH RETURN (COUNT) UID $").untagged[0].endswith(b" COUNT 1")
