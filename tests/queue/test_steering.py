"""An administrator's hands on what waits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from worldmail.errors import NoSuchThing
from worldmail.interfaces.queue import Route, Selection, Standing, Via
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


def test_retry_goes_by_the_routes_that_were_changed_before_it() -> None:
    site = site_where_all_waits()
    site.accept(ALICE, BOB)
    site.advance(5)
    site.elsewhere.fates = {}
    site.routes.reading = reading = Deferred()
    assert settle(site.admin.retry(Selection(recipient="BOB@there.test"))) == 1
    site.advance(2, step=0.1)
    assert site.elsewhere.taken == [] and len(site.queued()) == 1
    site.routes.reading = None
    site.routes.set(Route(name="other", via=Via.HOST, host="other.test"))
    reading.callback(None)
    site.advance(2, step=0.1)
    assert len(site.elsewhere.taken) == 1 and site.queued() == []
    assert site.rows("SELECT 1 FROM destination WHERE key = 'host other'") != []


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


def later(site: QueueSite) -> tuple[str, int]:
    """A message that its sender wants to be sent in a day, beside one that goes now; its id and that moment."""
    moment = int(site.clock.now()) + 86_400
    return site.accept(ALICE, BOB, not_before=moment), moment


def test_what_its_sender_wants_to_be_sent_later_is_tried_before_only_if_it_is_chosen_by_its_id() -> None:
    site = QueueSite.make()
    site.start()
    id_, moment = later(site)
    for selection in (Selection(), Selection(recipient=BOB), Selection(standing=Standing.WAITING)):
        assert settle(site.admin.retry(selection)) == 0
    site.advance(10)
    assert site.rows("SELECT due FROM recipient") == [(moment,)] and site.events(id_) == ["accepted"]
    assert settle(site.admin.retry(Selection(id=id_))) == 1
    site.advance(2, step=0.1)
    assert site.elsewhere.taken == [(id_, BOB)] and site.faults() == []


def test_holding_and_releasing_and_redirecting_leave_the_moment_that_a_sender_wants() -> None:
    site = QueueSite.make()
    site.start()
    id_, moment = later(site)
    for _ in range(2):
        assert settle(site.admin.hold(Selection(id=id_))) == 1
        site.advance(1000, step=100)
        assert settle(site.admin.release(Selection(id=id_))) == 1
    assert settle(site.admin.redirect(Selection(id=id_), Address.parse("carol@new.test"))) == 1
    site.advance(10)
    lifetime = round(site.admin.lifetime)
    assert site.rows("SELECT due, expires FROM recipient") == [(moment, moment + lifetime)]
    assert site.elsewhere.taken == []
    site.advance(86_400, step=600)
    assert site.elsewhere.taken == [(id_, "carol@new.test")] and site.faults() == []


def test_what_is_held_over_the_moment_that_its_sender_wants_goes_at_its_release_with_all_its_time() -> None:
    site = QueueSite.make()
    site.start()
    id_, moment = later(site)
    settle(site.admin.hold(Selection(id=id_)))
    site.advance(90_000, step=600)
    assert settle(site.admin.release(Selection(id=id_))) == 1
    assert site.rows("SELECT expires FROM recipient") == [(int(site.clock.now()) + round(site.admin.lifetime),)]
    site.advance(2, step=0.1)
    assert site.elsewhere.taken == [(id_, BOB)] and moment and site.faults() == []


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


@pytest.mark.parametrize("said", ["bücher.test", "BÜCHER.test", "xn--bcher-kva.test"])
@pytest.mark.parametrize("written", ["bücher.test", "Bücher.Test", "BÜCHER.test", "xn--bcher-kva.test"])
def test_a_domain_of_other_letters_means_addresses_in_each_of_its_spellings(written: str, said: str) -> None:
    site = site_where_all_waits()
    site.elsewhere.down["test"] = no_connection()
    site.accept(ALICE, f"otto@{written}", BOB)
    (message,) = settle(site.admin.messages(Selection(domain=said), 10))
    assert [recipient.address for recipient in message.recipients] == [f"otto@{written}"]


def test_an_address_of_other_letters_is_found_as_it_is_listed() -> None:
    site = site_where_all_waits()
    site.accept("Ärzte@example.test", "Ötzi@there.test")
    assert settle(site.admin.messages(Selection(recipient="Ötzi@there.test"), 10))
    assert settle(site.admin.messages(Selection(sender="Ärzte@example.test"), 10))


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


def test_one_that_was_not_tried_since_its_destination_rests_is_shown_with_the_end_of_that_and_the_reason() -> None:
    site = site_where_all_waits()
    site.elsewhere.down["there.test"] = no_connection()
    site.accept(ALICE, BOB)
    site.advance(5)
    site.accept(ALICE, "carol@there.test")
    site.advance(5)
    rest, reply = site.rows("SELECT rest_until, reply FROM destination")[0]
    ((carol,),) = [one.recipients for one in settle(site.admin.messages(Selection(recipient="carol@there.test"), 9))]
    assert (carol.attempts, carol.due, carol.reply) == (0, rest, reply) and reply and rest > site.clock.now()


def test_a_destination_that_puts_off_recipients_says_what_it_said() -> None:
    site = site_where_all_waits()
    site.accept(ALICE, BOB)
    site.advance(5)
    (reply,) = site.rows("SELECT reply FROM recipient")[0]
    (state,) = settle(site.admin.destinations(10))
    assert state.reply == reply and reply.startswith("4")


def test_a_queued_message_can_be_had_as_it_came() -> None:
    site = site_where_all_waits()
    id_ = site.accept(ALICE, BOB)
    octets: list[bytes] = []
    settle(site.admin.export(id_.lower(), octets.append))
    assert b"".join(octets) == MESSAGE
    with pytest.raises(NoSuchThing):
        settle(site.admin.export("0" * 16, octets.append))


def test_of_what_is_being_tried_the_sender_is_told_too_once_it_is_removed() -> None:
    site = QueueSite.make()
    site.start()
    site.elsewhere.stalls = True
    site.elsewhere.fates = {"there.test": [LATER]}
    id_ = site.accept(ALICE, BOB, "carol@there.test")
    lost = site.accept(ALICE, "dan@yonder.test")
    assert settle(site.admin.remove(Selection(), True)) == 3
    assert site.mail() == [] and [state for _, state in site.queued()] == [2, 2, 2]
    site.elsewhere.conversations[0].proceed()
    site.advance(10)
    assert site.queued() == [("dan@yonder.test", 2)]
    (report,) = site.mail()
    assert BOB.encode() in report and b"carol@there.test" in report and b"removed the message" in report
    assert sorted(site.events(id_)) == ["accepted", "deferred", "removed"]
    site.node.crash()
    site.restart()
    site.advance(40)
    assert site.queued() == [] and site.events(lost) == ["accepted", "removed"]
    assert len(site.mail()) == 2 and b"dan@yonder.test" in site.mail()[1]
    assert site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_thousands_are_removed_in_slices_and_only_what_was_there_before() -> None:
    site = QueueSite.make()
    for i in range(1200):
        site.accept(ALICE if i % 400 else "eve@elsewhere.test", f"r{i}@there.test")
    slices = []
    write_long = site.base.database.write_long

    def counted(unit: Any) -> Any:
        slices.append(unit)
        return write_long(unit)

    admin = evolve(site.admin, database=evolve_with(site.base.database, counted))
    assert settle(admin.remove(Selection(), True)) == 1200
    assert len(slices) == 4, "one for each slice of what is tried, and of what waits"
    assert len(site.mail()) == 1197
    assert sorted(address for address, _ in site.queued()) == ["eve@elsewhere.test"] * 3, "reports are not meant"
    assert site.faults() == []


def evolve_with(database: Any, write_long: Any) -> Any:
    """The same database, whose long units are seen."""

    class Seen:
        def __getattr__(self, name: str) -> Any:
            return write_long if name == "write_long" else getattr(database, name)

    return Seen()
