"""Unclaimed mail: where it lies, and what administrators do with it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.ondemand.collecting_site import CollectingSite, result_of, text
from worldmail.errors import BadValue, NoSuchThing, OverQuota
from worldmail.interfaces.unclaimed import IUnclaimed
from worldmail.mail.address import Address
from worldmail.testing.real_store import settle

FAR = text("someone@far.test", "Return-Path: <eve@far.test>\r\n")


def do(coroutine: Any) -> Any:
    return result_of(Deferred.fromCoroutine(coroutine))


@pytest.fixture
def site() -> CollectingSite:
    found = CollectingSite()
    found.remote.messages["a"] = FAR
    assert found.run().ok
    return found


def the_id(site: CollectingSite) -> str:
    [shown] = do(site.admin.messages())
    return str(shown.message.id)


def test_the_folder_keeps_its_interface(site: CollectingSite) -> None:
    assert verifyObject(IUnclaimed, site.unclaimed)


def test_what_was_fetched_is_listed_and_can_be_read(site: CollectingSite) -> None:
    [shown] = do(site.admin.messages())
    assert (shown.author, shown.to, shown.subject) == ("eve@far.test", "someone@far.test", "for someone@far.test")
    assert (shown.message.sender, shown.message.domain) == ("eve@far.test", "example.test")
    assert b"Subject: for someone" in do(site.admin.header(shown.message.id))


def test_the_postmaster_may_see_it_by_IMAP_and_others_not(site: CollectingSite) -> None:
    folders = site.base.store.folders
    for name, seen in (("postmaster", True), ("ann", False)):
        names = [one.name for one in settle(folders.folders(site.accounts[name]))]
        assert ("Shared Folders/Unclaimed" in names) is seen


def test_assigned_mail_is_there_and_not_unclaimed_any_more(site: CollectingSite) -> None:
    id_ = the_id(site)
    do(site.admin.assign(id_, Address.parse("ann@example.test")))
    [mail] = site.mail("ann")
    assert mail.startswith(b"Return-Path: <eve@far.test>\r\nDelivered-To: ann@example.test\r\nReceived: ")
    assert do(site.admin.messages()) == []
    assert site.rows("SELECT count(*) FROM content") == [(1,)]
    events = site.rows("SELECT event FROM trace WHERE acceptance = ? ORDER BY id", id_, read=lambda row: row[0])
    assert events == ["collected", "accepted", "assigned"]
    with pytest.raises(NoSuchThing):
        do(site.admin.assign(id_, Address.parse("bob@example.test")))


def test_it_cannot_be_given_to_nobody_or_to_who_has_no_room(site: CollectingSite) -> None:
    with pytest.raises(BadValue, match="no nobody@example.test here"):
        do(site.admin.assign(the_id(site), Address.parse("nobody@example.test")))
    with pytest.raises(BadValue):
        do(site.admin.assign(the_id(site), Address.parse("someone@far.test")))
    with pytest.raises(OverQuota):
        do(site.admin.assign(the_id(site), Address.parse("full@example.test")))
    assert len(do(site.admin.messages())) == 1


def test_who_is_given_it_twice_at_once_has_it_once(site: CollectingSite) -> None:
    """Two administrators have found it before either of them gave it away."""
    message = do(site.admin.find(the_id(site)))
    do(site.admin.assign(message.id, Address.parse("ann@example.test")))
    with pytest.raises(NoSuchThing):
        settle(site.base.database.write(lambda cursor: site.unclaimed.take(cursor, message)))
    assert len(site.mail("ann")) == 1


def test_removed_mail_is_gone_and_the_trace_says_so(site: CollectingSite) -> None:
    id_ = the_id(site)
    do(site.admin.remove(id_))
    assert do(site.admin.messages()) == []
    events = site.rows("SELECT event FROM trace WHERE acceptance = ? ORDER BY id", id_, read=lambda row: row[0])
    assert events[-1] == "discarded"
    with pytest.raises(NoSuchThing):
        do(site.admin.remove(id_))


def test_a_folder_that_was_removed_is_made_anew(site: CollectingSite) -> None:
    do(site.unclaimed.folders.remove("example.test", "Unclaimed"))
    assert do(site.admin.messages()) == []
    site.remote.messages["b"] = FAR
    assert site.run().ok
    assert len(do(site.admin.messages())) == 1
