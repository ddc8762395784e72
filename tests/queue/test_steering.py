"""An administrator's hands on what waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worldmail.errors import NoSuchThing
from worldmail.interfaces.queue import Selection, Standing
from worldmail.mail.address import Address
from worldmail.testing.outbound import LATER, no_connection
from worldmail.testing.queue import MESSAGE, QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
BOB = "bob@there.test"


def site_where_all_waits(**settings: Any) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    site.elsewhere.fates = {"there.test": [LATER], "yonder.test": [LATER]}
    return site


def test_retry_tries_now_though_the_destination_rests() -> None:
    site = site_where_all_waits()
    site.elsewhere.down["there.test"] = no_connection()
    site.accept(ALICE, BOB)
    site.advance(5)
    site.elsewhere.down, site.elsewhere.fates = {}, {}
    assert settle(site.admin.retry(Selection(recipient="BOB@there.test"))) == 1
    site.advance(1, step=0.1)
    assert len(site.elsewhere.taken) == 1 and site.queued() == []


def test_what_is_held_is_not_tried_nor_warned_of_nor_expired_and_has_its_time_when_it_is_released() -> None:
    site = site_where_all_waits(lifetime=10_000, warn_after=3000)
    id_ = site.accept(ALICE, BOB)
    expires = site.rows("SELECT expires FROM recipient")[0][0]
    assert settle(site.admin.hold(Selection(domain="there.test"))) == 1
    tries = len(site.elsewhere.begun)
    site.advance(50_000, step=100)
    assert len(site.elsewhere.begun) == tries and site.mail() == []
    assert settle(site.admin.release(Selection(id=id_.lower()))) == 1
    assert site.rows("SELECT expires FROM recipient")[0][0] == expires + 50_000
    site.advance(2, step=0.1)
    assert len(site.elsewhere.begun) == tries + 1
    assert site.events(id_)[:4] == ["accepted", "deferred", "held", "released"] and site.faults() == []


def test_a_redirected_recipient_goes_to_its_new_address_and_the_trace_finds_it_by_both() -> None:
    site = site_where_all_waits()
    id_ = site.accept(ALICE, BOB)
    assert settle(site.admin.redirect(Selection(recipient=BOB), Address.parse("carol@new.test"))) == 1
    site.advance(1, step=0.1)
    assert site.elsewhere.taken == [(id_, "carol@new.test")]
    (shipped,) = site.elsewhere.begun[-1].shipment.envelope.recipients
    assert shipped.original is not None and shipped.original.address == BOB
    assert json.loads(site.details(id_, "redirected")[0])["instead"] == "carol@new.test"
    assert site.queued() == [] and site.faults() == []


def test_a_recipient_can_be_redirected_to_a_mailbox_of_ours() -> None:
    site = site_where_all_waits()
    site.accept(ALICE, BOB)
    settle(site.admin.redirect(Selection(recipient=BOB), Address.parse(ALICE)))
    site.advance(1, step=0.1)
    assert len(site.mail()) == 1 and site.queued() == [] and site.faults() == []


def test_what_is_removed_is_gone_with_its_content_and_its_sender_is_told_only_if_that_is_asked_for() -> None:
    site = site_where_all_waits()
    id_ = site.accept(ALICE, BOB, "carol@yonder.test")
    assert settle(site.admin.remove(Selection(recipient=BOB), False)) == 1
    assert site.mail() == [] and site.queued() == [("carol@yonder.test", 0)]
    assert settle(site.admin.remove(Selection(id=id_), True)) == 1
    assert len(site.mail()) == 1 and b"carol@yonder.test" in site.mail()[0]
    assert site.queued() == [] and site.rows("SELECT id FROM queued") == []
    assert site.events(id_).count("removed") == 2 and site.faults() == []


def test_a_selection_means_what_fits_everything_that_it_says() -> None:
    site = site_where_all_waits()
    one = site.accept(ALICE, BOB, "carol@yonder.test")
    site.accept(None, "dan%x_y@there.test")

    def found(**words: Any) -> list[str]:
        messages = settle(site.admin.messages(Selection(**words), 10))
        return sorted(recipient.address for message in messages for recipient in message.recipients)

    everything = sorted([BOB, "carol@yonder.test", "dan%x_y@there.test"])
    assert found() == everything == found(standing=Standing.WAITING)
    assert found(id=one.lower(), domain="THERE.test") == [BOB]
    assert found(sender="<>") == ["dan%x_y@there.test"] and found(sender=ALICE) == [BOB, "carol@yonder.test"]
    assert found(destination="mx yonder") == ["carol@yonder.test"]
    assert found(recipient="dan%%@there.test") == [] and found(standing=Standing.HELD) == []
    assert found(domain="here.test") == []


def test_a_change_of_more_than_one_slice_comes_to_all() -> None:
    site = QueueSite.make()
    for i in range(3):
        site.accept(ALICE, *(f"r{i}-{k}@there.test" for k in range(700)))
    assert settle(site.admin.hold(Selection())) == 2100
    assert settle(site.admin.release(Selection())) == 2100
    assert settle(site.admin.remove(Selection(domain="there.test"), False)) == 2100
    assert site.queued() == [] and site.faults() == []


def test_figures_and_destinations_tell_what_there_is() -> None:
    site = site_where_all_waits()
    site.accept(ALICE, BOB, "carol@yonder.test", "dan@yonder.test")
    settle(site.admin.hold(Selection(recipient="dan@yonder.test")))
    counters = settle(site.admin.counters())
    assert (counters.messages, counters.octets) == (1, len(MESSAGE))
    assert dict(counters.recipients) == {Standing.WAITING: 2, Standing.HELD: 1, Standing.LEASED: 0}
    states = {one.key: (one.waiting, one.held, one.leased) for one in settle(site.admin.destinations(10))}
    assert states == {"mx yonder.test": (1, 1, 0), "mx there.test": (1, 0, 0)}


def test_a_queued_message_can_be_had_as_it_came() -> None:
    site = site_where_all_waits()
    id_ = site.accept(ALICE, BOB)
    octets: list[bytes] = []
    settle(site.admin.export(id_.lower(), octets.append))
    assert b"".join(octets) == MESSAGE
    with pytest.raises(NoSuchThing):
        settle(site.admin.export("0" * 16, octets.append))
