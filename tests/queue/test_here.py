"""Mail for mailboxes of ours by way of the queue: what was held first, or whose sender wants to hear of success."""

from __future__ import annotations

from typing import Any

from tests.queue.test_reports import actions
from worldmail.errors import TemporaryFailure
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Notify, Recipient
from worldmail.testing.queue import QueueSite

ALICE = "alice@example.test"
BOB = "bob@example.test"
SUCCESS = {BOB: frozenset({Notify.SUCCESS})}


def site_with_bob(**account: Any) -> QueueSite:
    site = QueueSite.make(lifetime=10_000, warn_after=0)
    site.base.add_account(BOB, **account)
    site.start()
    return site


def test_it_is_delivered_in_one_unit_and_reported_at_once() -> None:
    site = site_with_bob()
    before = site.node.database.writes
    id_ = site.accept(ALICE, BOB, here=True, notify=SUCCESS)
    assert site.node.database.writes == before + 3, "one for the acceptance, one for the delivery, one for the report"
    assert len(site.mail(BOB)) == 1 and actions(site.mail()[0]) == [(BOB, "delivered")]
    assert site.queued() == [] and site.events(id_)[-1] == "delivered"
    assert site.faults() == []


def test_mail_that_is_to_be_held_first_is_delivered_when_the_time_has_come() -> None:
    site = site_with_bob()
    at = int(site.clock.now()) + 500
    site.accept(ALICE, BOB, here=True, not_before=at)
    site.advance(490)
    assert site.mail(BOB) == []
    site.advance(15)
    assert len(site.mail(BOB)) == 1


def test_a_mailbox_that_is_full_is_tried_again_and_in_the_end_the_sender_is_told() -> None:
    site = site_with_bob(quota=10)
    id_ = site.accept(ALICE, BOB, here=True, notify={BOB: frozenset({Notify.SUCCESS, Notify.FAILURE})})
    assert site.queued() == [(BOB, 0)] and "4.2.2" in site.details(id_, "deferred")[0]
    site.advance(11_000, step=10)
    assert site.queued() == [] and site.mail(BOB) == []
    assert [actions(mail) for mail in site.mail()] == [[(BOB, "failed")]]
    assert site.faults() == []


def test_a_mailbox_that_has_room_again_gets_it() -> None:
    site = site_with_bob(quota=10)
    site.accept(ALICE, BOB, here=True)
    site.base.database.write(lambda cursor: cursor.run("UPDATE account SET quota = NULL"))
    site.advance(400)
    assert len(site.mail(BOB)) == 1 and site.queued() == []


def test_an_address_that_leads_to_several_is_expanded_and_the_sender_told_so() -> None:
    site = site_with_bob()
    site.base.memory.add_alias("all@example.test", BOB, "x@there.test", "y@yonder.test")
    notify = {"all@example.test": frozenset({Notify.SUCCESS})}
    id_ = site.accept(ALICE, "all@example.test", here=True, notify=notify)
    site.advance(1, step=0.1)
    assert len(site.mail(BOB)) == 1
    assert sorted(site.elsewhere.taken) == [(id_, "x@there.test"), (id_, "y@yonder.test")]
    assert [actions(mail) for mail in site.mail()] == [[("all@example.test", "expanded")]]
    assert site.queued() == [] and site.faults() == []


def test_an_account_that_is_gone_meanwhile_fails_and_a_directory_that_is_puts_off() -> None:
    site = site_with_bob()
    directory = site.base.memory.directory
    site.accept(ALICE, BOB, here=True, not_before=int(site.clock.now()) + 100)
    directory.fail = TemporaryFailure(reason="no directory")
    site.advance(150)
    assert site.queued() == [(BOB, 0)]
    directory.fail = None
    del directory.accounts[BOB]
    site.advance(400)
    assert site.queued() == [] and [actions(mail) for mail in site.mail()] == [[(BOB, "failed")]]


def test_a_lease_that_is_gone_delivers_nothing() -> None:
    site = site_with_bob(quota=10)
    site.accept(ALICE, BOB, here=True)
    site.node.database.locked = False
    site.base.database.write(lambda cursor: cursor.run("UPDATE account SET quota = NULL"))
    site.node.database.vanishing = 2  # to lease it comes about; to deliver it comes about: neither can be told
    site.advance(900)
    assert len(site.mail(BOB)) == 1 and site.queued() == [] and site.faults() == []


def test_who_is_named_twice_gets_one_copy_though_each_name_goes_by_the_queue() -> None:
    site = site_with_bob()
    site.base.memory.directory.domains.append("other.test")
    for alias in ("robert@example.test", "bob@other.test"):
        site.base.memory.add_alias(alias, BOB)
    at = int(site.clock.now()) + 100
    id_ = site.accept(ALICE, "robert@example.test", BOB, "bob@other.test", here=True, not_before=at)
    other = site.accept(ALICE, BOB, here=True, not_before=at)
    site.advance(110)
    assert len(site.mail(BOB)) == 2 and site.queued() == []
    told = " ".join(site.details(id_, "delivered"))
    assert all(f'"{name}"' in told for name in ("robert@example.test", BOB, "bob@other.test"))
    assert site.details(other, "delivered") and site.faults() == []


def test_who_got_it_at_once_gets_no_second_copy_by_the_queue_and_success_is_told() -> None:
    site = site_with_bob()
    site.base.memory.add_alias("robert@example.test", BOB)
    bob = Address.parse(BOB)
    ((account_id,),) = site.rows("SELECT id FROM account WHERE address = ?", bob.key)
    at_once = Delivery(account_id=account_id, recipient=Recipient(address=bob), account=bob)
    notify = {"robert@example.test": frozenset({Notify.SUCCESS})}
    site.accept(ALICE, "robert@example.test", here=True, notify=notify, more=(at_once,))
    assert len(site.mail(BOB)) == 1
    assert [actions(mail) for mail in site.mail()] == [[("robert@example.test", "delivered")]]
    assert site.queued() == [] and site.faults() == []
