"""IDLE over the real store: what others do is told at once, in whatever way they do it (RFC 2177)."""

from __future__ import annotations

import gc
from types import FunctionType
from typing import Any

import pytest

from tests.protocols.imap.conftest import Blind
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.messages import Flag
from worldmail.testing.feeding import settle
from worldmail.testing.imap import ImapClient

MESSAGE = b"Subject: x\r\n\r\ny\r\n"


def idling(site: Any, mailbox: bytes = b"INBOX") -> ImapClient:
    """Bob, waiting in a mailbox."""
    client: ImapClient = site.client("bob")
    assert client.say(b"SELECT " + mailbox).status == b"OK"
    return client.idle()


def test_new_mail_is_told_at_once(site: Any) -> None:
    client = idling(site)
    site.store.add(site.accounts["bob"], MESSAGE, MESSAGE)
    assert b"* 2 EXISTS\r\n" in client.told()
    assert client.done().status == b"OK"


def test_flags_and_expunges_of_another_session_are_told_at_once(site: Any) -> None:
    site.store.add(site.accounts["bob"], MESSAGE, MESSAGE)
    client, other = idling(site), site.client("bob")
    other.say(b"SELECT INBOX")
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    told = client.told()
    assert b"* 1 FETCH (" in told and b"\\Deleted" in told
    other.say(b"EXPUNGE")
    assert b"* 1 EXPUNGE\r\n" in client.told()
    assert client.done().status == b"OK"


def test_what_happens_in_other_mailboxes_wakes_nobody(site: Any) -> None:
    client = idling(site)
    before = client.wakes
    site.store.add(site.accounts["bob"], MESSAGE, mailbox="Sent")
    site.store.add(site.accounts["ann"], MESSAGE)
    assert client.wakes == before
    assert client.told() == b""


def test_a_session_that_does_not_idle_is_not_woken_but_told_with_its_next_command(site: Any) -> None:
    client = site.client("bob")
    client.say(b"SELECT INBOX")
    before = client.wakes
    site.store.add(site.accounts["bob"], MESSAGE, flags=Flag.SEEN)
    assert client.wakes == before
    assert client.say(b"NOOP").of(b"EXISTS") == [b"* 1 EXISTS"]


def test_what_came_before_IDLE_is_told_as_it_begins(site: Any) -> None:
    client = site.client("bob")
    client.say(b"SELECT INBOX")
    site.store.add(site.accounts["bob"], MESSAGE)
    assert b"* 1 EXISTS\r\n" in client.send(b"i IDLE\r\n")
    assert client.told() == b""
    assert client.send(b"DONE\r\n") == b"i OK IDLE completed\r\n"


def test_a_mailbox_that_is_removed_ends_the_session_that_waits_in_it(site: Any) -> None:
    bob = site.accounts["bob"]
    client = idling(site, b"Sent")
    settle(site.store.world.folders.delete(bob, "Sent"))
    assert client.told().startswith(b"* BYE ")
    assert client.closed is not None


def test_IDLE_without_a_mailbox_waits_for_nothing(site: Any) -> None:
    client = site.client("bob").idle()
    site.store.add(site.accounts["bob"], MESSAGE)
    assert client.told() == b""
    assert client.done().status == b"OK"


def test_what_cannot_be_told_in_IDLE_is_told_later_and_is_no_reply_to_it(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, store = idling(site), Blind(site, monkeypatch, fails=True)
    site.store.add(site.accounts["bob"], MESSAGE)
    assert client.told() == b""
    store.fails = False
    done = client.done()
    assert (done.status, done.of(b"EXISTS")) == (b"OK", [b"* 1 EXISTS"])


def test_what_could_not_be_looked_at_in_IDLE_is_looked_at_after_a_moment(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, store = idling(site), Blind(site, monkeypatch, fails=True)
    site.store.add(site.accounts["bob"], MESSAGE)
    later = client.conductor.held.later
    for fails in (True, False):
        assert client.told() == b""
        store.fails = fails
        later.pop().call()
        assert len(later) == fails
    assert b"* 1 EXISTS\r\n" in client.told()
    assert client.done().status == b"OK"


def test_an_IDLE_that_is_refused_has_not_begun(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = site.client("bob")
    client.say(b"SELECT INBOX")
    store = Blind(site, monkeypatch, fails=True)
    site.store.add(site.accounts["bob"], MESSAGE)
    refused = client.say(b"IDLE")
    assert (refused.status, b"+ " in refused.raw) == (b"NO", False)
    store.fails = False
    assert client.say(b"NOOP").of(b"EXISTS") == [b"* 1 EXISTS"]


def test_an_account_that_cannot_be_looked_at_now_is_looked_at_later(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = idling(site)

    def account(*_: object) -> object:
        raise TemporaryFailure

    with monkeypatch.context() as patched:
        patched.setattr(type(site.store.world.directory), "account", account)
        client.session.revoked = True
        client.session.wake()
        assert client.told() == b""
        assert client.session.next_event() is None  # it does not ask again and again
    assert client.done().status == b"OK"
    assert not client.session.revoked


def test_a_session_in_IDLE_keeps_no_closures_as_there_are_very_many_of_them(site: Any) -> None:
    idling(site)

    def of_ours() -> int:
        gc.collect()
        functions = (thing for thing in gc.get_objects() if isinstance(thing, FunctionType) and thing.__closure__)
        ours = ("worldmail.protocols", "worldmail.database")
        return sum((thing.__module__ or "").startswith(ours) for thing in functions)

    before = of_ours()
    held = [idling(site) for _ in range(20)]
    assert of_ours() - before < len(held)
