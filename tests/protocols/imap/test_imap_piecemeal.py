"""News of very many messages are told in parts; what is told in the end is the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.errors import TemporaryFailure
from worldmail.protocols.imap.view import loading, rest, selected
from worldmail.store.messages import news
from worldmail.testing.imap import ImapClient

COUNT = 30
TEXT = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def many(site: ImapSite, monkeypatch: pytest.MonkeyPatch) -> ImapSite:
    """Thirty messages are many."""
    for module, name, most in (
        (selected, "TOLD_AT_ONCE", 4),
        (loading, "LOADED_AT_ONCE", 4),
        (rest, "MARKS_AT_ONCE", 3),
        (news, "FEW", 3),
        (news, "MARKS_AT_ONCE", 5),
        (news, "MOST_ARRIVED", 6),
    ):
        monkeypatch.setattr(module, name, most)
    site.store.add(site.accounts["bob"], *[TEXT] * COUNT)
    return site


def in_inbox(site: ImapSite, *enabled: bytes) -> ImapClient:
    client = site.client()
    for name in enabled:
        client.say(b"ENABLE " + name)
    client.say(b"SELECT INBOX")
    return client


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("scattered", [False, True])
def test_flags_of_all_are_told_once_each(many: ImapSite, *, loaded: bool, scattered: bool) -> None:
    client, other = in_inbox(many), in_inbox(many)
    if loaded:
        client.say(b"FETCH 1:* FLAGS")
    for start in range(1, 4 if scattered else 2):
        numbers = b",".join(b"%d" % number for number in range(start, COUNT + 1, 3)) if scattered else b"1:*"
        other.say(b"STORE %b +FLAGS (word%d)" % (numbers, start))
    told = client.say(b"NOOP")
    fetched = told.of(b"FETCH")
    assert sorted(int(line.split(b" ")[1]) for line in fetched) == [*range(1, COUNT + 1)]
    assert all(b"word" in line for line in fetched)
    assert told.status == b"OK"
    assert client.say(b"NOOP").untagged == []


def test_in_IDLE_each_part_is_a_turn_of_its_own(many: ImapSite) -> None:
    client, other = in_inbox(many), in_inbox(many)
    client.idle()
    wakes = client.wakes
    other.say(b"STORE 1:* +FLAGS (\\Flagged)")
    assert client.told().count(b" FETCH ") == COUNT
    assert client.wakes - wakes >= COUNT // 4
    other.say(b"STORE 1:* +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    assert client.told().count(b" EXPUNGE\r\n") == COUNT
    assert client.done().untagged == []


def test_of_very_many_arrivals_the_last_ones_are_recent(many: ImapSite) -> None:
    client = in_inbox(many)
    client.say(b"FETCH 1:* FLAGS")
    many.store.add(many.accounts["bob"], TEXT, TEXT)
    client.say(b"NOOP")
    other = in_inbox(many)
    other.say(b"COPY 1:* INBOX")
    told = client.say(b"NOOP")
    assert told.of(b"EXISTS") == [b"* 64 EXISTS"]
    assert told.of(b"RECENT") == [b"* 6 RECENT"]
    assert len(client.say(b"FETCH 1:* (UID FLAGS)").of(b"FETCH")) == 64


def test_what_is_refused_between_two_parts_is_told_later(many: ImapSite, monkeypatch: pytest.MonkeyPatch) -> None:
    client, other = in_inbox(many), in_inbox(many)
    for number in range(1, COUNT + 1, 2):
        other.say(b"STORE %d +FLAGS (\\Flagged)" % number)
    kind = type(many.store.world.messages)
    with monkeypatch.context() as patch:

        def changed(*_: Any, **__: Any) -> Any:
            raise TemporaryFailure

        patch.setattr(kind, "changed", changed)
        first = client.say(b"NOOP").of(b"FETCH")
    assert 0 < len(first) < COUNT // 2
    second = client.say(b"NOOP").of(b"FETCH")
    assert sorted(int(line.split(b" ")[1]) for line in (*first, *second)) == [*range(1, COUNT + 1, 2)]


def test_a_session_that_comes_back_is_told_in_parts(many: ImapSite) -> None:
    client = in_inbox(many, b"QRESYNC")
    before = many.store.status(many.accounts["bob"])
    client.say(b"UNSELECT")
    other = in_inbox(many)
    other.say(b"STORE 1:* +FLAGS (\\Flagged)")
    other.say(b"STORE 3,7,20:29 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    told = client.say(b"SELECT INBOX (QRESYNC (%d %d))" % (before.uidvalidity, before.highestmodseq))
    assert told.of(b"VANISHED") == [b"* VANISHED (EARLIER) 3,7,20:29"]
    assert [int(line.split(b" ")[1]) for line in told.of(b"FETCH")] == [*range(1, 19)]
    assert told.status == b"OK"
    since = client.say(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % before.highestmodseq)
    assert since.of(b"FETCH") == told.of(b"FETCH")


def test_a_session_that_cannot_be_told_what_it_missed_has_nothing_selected(
    many: ImapSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = in_inbox(many, b"QRESYNC")
    before = many.store.status(many.accounts["bob"])
    client.say(b"UNSELECT")
    in_inbox(many).say(b"STORE 1:* +FLAGS (\\Flagged)")

    def below(*_: Any, **__: Any) -> Any:
        raise TemporaryFailure

    select = b"SELECT INBOX (QRESYNC (%d %d))" % (before.uidvalidity, before.highestmodseq)
    with monkeypatch.context() as patch:
        patch.setattr(type(many.store.world.messages), "below", below)
        assert client.say(select).status == b"NO"
        assert client.session.selected is None
    assert client.say(select).status == b"OK"


def test_what_is_withheld_is_told_when_it_may_be_and_to_a_client_with_QRESYNC_from_where(many: ImapSite) -> None:
    client, other = in_inbox(many, b"QRESYNC"), in_inbox(many)
    client.say(b"FETCH 1:* FLAGS")
    other.say(b"STORE 1:20 +FLAGS (\\Deleted)")
    client.say(b"NOOP")
    other.say(b"EXPUNGE")
    assert client.say(b"FETCH 30 FLAGS").of(b"VANISHED") == []
    told = client.say(b"NOOP")
    assert told.of(b"VANISHED") == [b"* VANISHED %d:%d" % (first, first + 3) for first in (17, 13, 9, 5, 1)]
    now = many.store.status(many.accounts["bob"]).highestmodseq
    assert told.untagged[-1] == b"* OK [HIGHESTMODSEQ %d] Highest" % now


def test_searches_that_are_kept_up_to_date_are_told_around_all_parts(many: ImapSite) -> None:
    client, other = in_inbox(many), in_inbox(many)
    client.say(b"UID SEARCH RETURN (UPDATE COUNT) UNFLAGGED")
    client.say(b"SEARCH RETURN (UPDATE COUNT) UNFLAGGED")
    other.say(b"STORE 1:* +FLAGS (\\Flagged)")
    told = client.say(b"NOOP").untagged
    assert [line.partition(b"REMOVEFROM")[2] for line in told[-2:]] == [b" (0 1:30)", b" (0 1:30)"]
    assert sum(b" FETCH " in line for line in told[:-2]) == COUNT
