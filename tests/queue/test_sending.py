"""A message's way through the queue, from acceptance to the reply of another server."""

from __future__ import annotations

from worldmail.testing.outbound import LATER, NEVER, TAKEN
from worldmail.testing.queue import MESSAGE, QueueSite

ALICE = "alice@example.test"


def site_that_sends(**settings: object) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    return site


def test_a_message_for_elsewhere_is_sent_at_once_and_leaves_the_queue() -> None:
    site = site_that_sends()
    id_ = site.accept(ALICE, "bob@there.test")
    assert site.elsewhere.taken == [(id_, "bob@there.test")]
    assert site.queued() == [] and site.rows("SELECT * FROM queued") == []
    assert site.rows("SELECT id FROM content") == [], "content that nobody else had goes with the last recipient"
    assert site.events(id_) == ["accepted", "delivered"]
    assert site.faults() == []


def test_what_was_sent_is_what_was_accepted() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    (carried,) = site.elsewhere.begun
    assert carried.octets == MESSAGE
    assert str(carried.shipment.envelope.sender) == ALICE


def test_recipients_of_one_domain_share_a_transaction_and_those_of_two_do_not() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test", "carol@there.test", "dan@yonder.test")
    assert sorted(carried.recipients for carried in site.elsewhere.begun) == [
        ("bob@there.test", "carol@there.test"),
        ("dan@yonder.test",),
    ]


def test_of_three_recipients_only_the_one_that_was_put_off_is_tried_again() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {"bob@there.test": [LATER, TAKEN], "carol@there.test": [NEVER]}
    id_ = site.accept(ALICE, "bob@there.test", "carol@there.test", "dan@there.test")
    assert site.queued() == [("bob@there.test", 0)]
    site.advance(3600)
    assert sorted(site.elsewhere.taken) == [(id_, "bob@there.test"), (id_, "dan@there.test")]
    assert [carried.recipients for carried in site.elsewhere.begun[1:]] == [("bob@there.test",)]
    assert len(site.mail()) == 1, "the sender has one report, on carol"
    assert site.queued() == [] and site.faults() == []
