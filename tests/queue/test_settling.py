"""What became of recipients, in the database: whole, once, late if need be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worldmail.interfaces.queue import Selection
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Recipient, TlsFacts
from worldmail.testing.outbound import LATER, NEVER, TAKEN, UNKNOWN
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"


def site_that_stalls(**settings: Any) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    site.elsewhere.stalls = True
    return site


def test_what_cannot_be_written_now_is_written_later_and_nothing_is_sent_twice_meanwhile() -> None:
    site = site_that_stalls()
    site.elsewhere.fates = {"bob@there.test": [NEVER], "dan@there.test": [LATER]}
    id_ = site.accept(ALICE, "bob@there.test", "carol@there.test", "dan@there.test")
    site.node.database.locked = True
    site.elsewhere.conversations[0].proceed()
    site.advance(200)
    assert [state for _, state in site.queued()] == [2, 2, 2]
    assert len(site.elsewhere.begun) == 1 and len(site.elsewhere.taken) == 1
    site.node.database.locked = False
    site.advance(16)
    assert site.queued() == [("dan@there.test", 0)]
    assert sorted(site.events(id_)) == ["accepted", "deferred", "delivered", "failed"]
    assert len(site.mail()) == 1 and site.node.queue.runner.leases.count == 0
    assert {fields["acceptance"] for fields in site.journal.named("queue.unwritten")} == {id_}


def test_a_recipient_whose_fate_is_unknown_is_tried_again_and_the_trace_says_so() -> None:
    site = QueueSite.make()
    site.start()
    site.elsewhere.fates["bob@there.test"] = [UNKNOWN, TAKEN]
    id_ = site.accept(ALICE, "bob@there.test")
    assert "no reply seen" in site.details(id_, "deferred")[0]
    assert "no reply seen" in site.rows("SELECT reply FROM recipient")[0][0]
    site.advance(400)
    assert site.events(id_) == ["accepted", "deferred", "delivered"]


@pytest.mark.parametrize("verified", [False, True])
def test_the_trace_and_the_log_say_whether_the_certificate_was_verified(verified: bool) -> None:
    site = QueueSite.make()
    site.start()
    tls = TlsFacts(version="TLSv1.3", cipher="x", bits=256, verified=verified)
    site.elsewhere.make = lambda conversation: setattr(conversation, "tls", tls)
    id_ = site.accept(ALICE, "bob@there.test")
    detail = json.loads(site.details(id_, "delivered")[0])
    (logged,) = site.journal.named("delivery")
    for record in (detail, logged):
        assert (record["tls"], record["verified"]) == ("TLSv1.3", verified)


def test_intervals_grow_and_what_failed_together_is_tried_together() -> None:
    site = QueueSite.make()
    site.start()
    site.elsewhere.fates["there.test"] = [LATER]
    site.accept(ALICE, "bob@there.test", "carol@there.test")
    site.advance(4 * 3600, step=5)
    assert {len(carried.recipients) for carried in site.elsewhere.begun} == {2}
    assert 5 <= len(site.elsewhere.begun) <= 9  # after 5, 10, 20, 40, 60 ... minutes


def test_a_wish_to_hold_one_that_is_tried_comes_true_if_it_fails_for_now() -> None:
    site = site_that_stalls()
    site.elsewhere.fates["bob@there.test"] = [LATER]
    id_ = site.accept(ALICE, "bob@there.test", "carol@there.test")
    assert settle(site.admin.hold(Selection(id=id_))) == 2
    assert site.events(id_) == ["accepted"]
    site.elsewhere.conversations[0].proceed()
    assert site.queued() == [("bob@there.test", 1)]
    assert sorted(site.events(id_)) == ["accepted", "deferred", "delivered", "held"]
    site.advance(5000, step=10)
    assert site.queued() == [("bob@there.test", 1)] and site.faults() == []


def test_a_wish_to_remove_one_that_is_tried_comes_true_if_it_fails_for_now_and_is_told_then() -> None:
    site = site_that_stalls()
    site.elsewhere.fates["bob@there.test"] = [LATER]
    id_ = site.accept(ALICE, "bob@there.test", "carol@there.test")
    assert settle(site.admin.remove(Selection(id=id_), False)) == 2
    site.elsewhere.conversations[0].proceed()
    assert site.queued() == [] and site.rows("SELECT * FROM queued") == []
    assert sorted(site.events(id_)) == ["accepted", "deferred", "delivered", "removed"]
    assert site.faults() == []


def test_a_wish_is_not_lost_with_the_runner() -> None:
    site = site_that_stalls()
    held = site.accept(ALICE, "bob@there.test")
    removed = site.accept(ALICE, "carol@yonder.test")
    settle(site.admin.hold(Selection(id=held)))
    settle(site.admin.remove(Selection(id=removed), False))
    site.node.crash()
    site.restart()
    assert site.queued() == [("bob@there.test", 1)]
    assert site.events(held)[-1] == "reclaimed" and site.events(removed)[-1] == "removed"
    assert site.faults() == []


def test_content_that_a_mailbox_has_too_stays_when_the_queue_is_done_with_it() -> None:
    site = QueueSite.make()
    site.start()
    recipient = Recipient(address=Address.parse(ALICE))
    delivery = Delivery(account_id=1, mailbox="INBOX", recipient=recipient, account=recipient.address)
    site.accept(ALICE, "bob@there.test", more=(delivery,))
    assert site.queued() == [] and len(site.mail()) == 1
    settle(site.base.store.collector.collect(1 << 40))
    assert len(site.mail()) == 1 and site.faults() == []


def test_replies_are_counted_by_class_and_kept() -> None:
    site = QueueSite.make()
    site.start()
    site.elsewhere.fates = {"bob@there.test": [LATER], "carol@there.test": [NEVER]}
    site.accept(ALICE, "bob@there.test", "carol@there.test", "dan@there.test")
    site.advance(70)
    assert dict(settle(site.admin.counters()).replies) == {"2": 1, "4": 1, "5": 1}
