"""Turns that stay: new mail is handed over as it comes, and both a dead link and a second turn end them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from attrs import evolve

from worldmail.interfaces.directory import Account
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.queue import Standing
from worldmail.interfaces.releases import NothingWaits, NotYours, TurnBusy
from worldmail.mail.address import Address
from worldmail.queue.presence import GREETS
from worldmail.queue.turn import LOOK, MORE, SUPERSEDED
from worldmail.testing.outbound import LATER, TAKEN
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

HELD = Standing.HELD.value
HOLD = Hold(name="shop", domains=("shop.test", ".shop.test"), accounts=frozenset({"alice@example.test"}))
OTHER = Hold(name="other", domains=("other.test",), accounts=frozenset({"bob@example.test", "alice@example.test"}))


@pytest.fixture
def site() -> Iterator[QueueSite]:
    made = QueueSite.make()
    made.base.add_account("bob@example.test")
    made.routes.set(holds=(HOLD, OTHER))
    made.start()
    yield made
    for conversation in made.elsewhere.conversations:
        conversation.hang_up()


def account(site: QueueSite, name: str = "alice") -> Account:
    found = settle(site.base.memory.directory.account(Address.parse(f"{name}@example.test")))
    assert found is not None
    return found


def begin(site: QueueSite, *, stay: int = 60, domains: Sequence[str] | None = None, name: str = "alice") -> Any:
    turns = site.nodes[0].queue.releases.turns
    conversation = settle(turns.begin(account(site, name), domains, "s", stay))
    site.advance(0.1)
    return conversation


def taken(site: QueueSite) -> list[str]:
    return [address for _, address in site.elsewhere.taken]


def ends(site: QueueSite) -> list[Any]:
    return [fields.get("reason") for event, fields in site.journal.records if event == "turn"]


def send(site: QueueSite, *addresses: str) -> None:
    for address in addresses:
        site.accept("bob@example.test", address)


def test_what_waits_goes_first_and_then_what_comes_at_once(site: QueueSite) -> None:
    send(site, "a@shop.test")
    conversation = begin(site)
    assert taken(site) == ["a@shop.test"]
    send(site, "b@shop.test")
    assert taken(site) == ["a@shop.test", "b@shop.test"], "no time has passed"
    assert not conversation.closed
    assert site.queued() == []
    assert not site.faults()


def test_a_site_for_which_nothing_ever_came_may_stay(site: QueueSite) -> None:
    begin(site)
    send(site, "a@shop.test", "b@north.shop.test", "c@other.test")
    site.advance(0.1)
    assert taken(site) == ["a@shop.test", "b@north.shop.test", "c@other.test"]


def test_only_what_was_asked_for_comes(site: QueueSite) -> None:
    begin(site, domains=["shop.test"])
    send(site, "a@shop.test", "b@north.shop.test", "c@other.test")
    site.advance(2 * LOOK)
    assert taken(site) == ["a@shop.test"]


def test_what_another_process_accepts_comes_too(site: QueueSite) -> None:
    begin(site)
    other = site.add_node()
    other.start()
    site.accept("bob@example.test", "a@shop.test", node=other)
    site.advance(0.5)
    assert taken(site) == ["a@shop.test"]


def test_after_so_many_seconds_of_silence_something_is_said(site: QueueSite) -> None:
    conversation = begin(site, stay=60)
    site.advance(59)
    assert conversation.beats == 0
    site.advance(2)
    assert conversation.beats == 1
    site.advance(30)
    send(site, "a@shop.test")
    site.advance(45)
    assert conversation.beats == 1, "mail is no silence"
    site.advance(16)
    assert conversation.beats == 2


def test_who_does_not_answer_is_gone_and_its_mail_waits(site: QueueSite) -> None:
    conversation = begin(site, stay=60)
    conversation.silent = True
    site.advance(61)
    assert conversation.closed and conversation.aborted, "else its place would be kept until TCP gives it up"
    send(site, "a@shop.test")
    assert site.queued() == [("a@shop.test", HELD)]
    begin(site)
    assert taken(site) == ["a@shop.test"]
    assert not site.faults()


def test_a_connection_that_its_site_closes_ends_the_turn(site: QueueSite) -> None:
    conversation = begin(site)
    conversation.hang_up()
    site.advance(0.1)
    assert len(ends(site)) == 1
    with pytest.raises(NothingWaits):
        begin(site, stay=0)


def test_a_new_turn_of_the_same_account_takes_the_place_of_one_that_only_stays(site: QueueSite) -> None:
    first = begin(site)
    second = begin(site)
    assert first.aborted
    assert not second.closed
    send(site, "a@shop.test")
    assert [carried.conversation for carried in site.elsewhere.begun] == [second]
    assert ends(site) == [SUPERSEDED]


def test_a_turn_that_does_not_stay_takes_its_place_only_if_something_waits(site: QueueSite) -> None:
    first = begin(site, domains=["shop.test"])
    with pytest.raises(NothingWaits):
        begin(site, stay=0, domains=["shop.test"])
    assert not first.closed
    with pytest.raises(NothingWaits):
        begin(site, stay=0, domains=["other.test"])


def test_a_turn_that_is_busy_keeps_its_place(site: QueueSite) -> None:
    first = begin(site)
    site.elsewhere.stalls = True
    send(site, "a@shop.test")
    with pytest.raises(TurnBusy):
        begin(site)
    site.elsewhere.stalls = False
    first.proceed()
    site.advance(0.1)
    begin(site)
    assert first.aborted
    assert taken(site) == ["a@shop.test"]


@pytest.mark.parametrize("stay", [0, 60])
def test_one_whose_customer_never_greeted_keeps_its_place_for_a_while_only(site: QueueSite, stay: int) -> None:
    send(site, "a@shop.test")
    site.elsewhere.make = lambda conversation: setattr(conversation, "mute", True)
    mute = begin(site, stay=stay)
    site.elsewhere.make = lambda conversation: None
    site.advance(GREETS - 1)
    with pytest.raises(TurnBusy):
        begin(site)
    site.advance(1)
    with pytest.raises(TurnBusy):
        begin(site, name="bob", domains=["other.test"])
    begin(site)
    assert mute.aborted
    assert (taken(site), ends(site)) == (["a@shop.test"], [SUPERSEDED])
    assert not site.faults()


def test_another_account_of_the_same_hold_does_not_take_it(site: QueueSite) -> None:
    begin(site, domains=["other.test"])
    with pytest.raises(TurnBusy):
        begin(site, name="bob")
    begin(site, domains=["shop.test"])
    send(site, "a@shop.test", "c@other.test")
    assert len({carried.conversation for carried in site.elsewhere.begun}) == 2


def test_a_hold_that_goes_to_another_account_is_that_ones_at_once(site: QueueSite) -> None:
    """Whoever had it before stays, for what else it has."""
    first = begin(site)
    site.routes.set(holds=(HOLD, evolve(OTHER, accounts=frozenset({"bob@example.test"}))))
    second = begin(site, name="bob")
    send(site, "a@shop.test", "c@other.test")
    assert [carried.conversation for carried in site.elsewhere.begun] == [first, second]
    assert not first.closed


def test_who_asks_for_all_gets_what_nobody_else_is_at(site: QueueSite) -> None:
    bob = begin(site, name="bob")
    alice = begin(site)
    with pytest.raises(TurnBusy):
        begin(site, domains=["other.test"])
    send(site, "a@shop.test", "c@other.test")
    assert [carried.conversation for carried in site.elsewhere.begun] == [alice, bob]
    site.advance(LOOK + 1)
    assert not alice.closed
    bob.hang_up()
    site.advance(LOOK + 1)
    assert alice.closed, "it is to ask again"
    assert ends(site) == [None, MORE]
    begin(site)
    send(site, "d@other.test")
    assert taken(site) == ["a@shop.test", "c@other.test", "d@other.test"]


def test_who_does_not_stay_is_told_that_what_waits_is_anothers_now(site: QueueSite) -> None:
    site.elsewhere.fates = {"c@other.test": [LATER]}
    begin(site, name="bob")
    send(site, "c@other.test")
    with pytest.raises(TurnBusy):
        begin(site, stay=0)
    site.elsewhere.fates = {}
    site.advance(2 * LOOK)
    assert taken(site) == ["c@other.test"]
    with pytest.raises(NothingWaits):
        begin(site, stay=0)


def test_a_hold_that_comes_later_is_heard_of(site: QueueSite) -> None:
    site.routes.set(holds=(HOLD,))
    begin(site)
    site.routes.set(holds=(HOLD, OTHER))
    site.advance(LOOK + 1)
    assert ends(site) == [MORE]
    begin(site)
    send(site, "c@other.test")
    assert taken(site) == ["c@other.test"]


def test_what_the_site_puts_off_is_offered_again_later_and_does_not_come_in_the_way(site: QueueSite) -> None:
    site.elsewhere.fates = {"later@shop.test": [LATER, LATER, TAKEN]}
    begin(site)
    send(site, "later@shop.test", "a@shop.test")
    assert taken(site) == ["a@shop.test"]
    tries = [carried.recipients for carried in site.elsewhere.begun].count(("later@shop.test",))
    assert tries == 1
    site.advance(LOOK + 1)
    assert len(site.elsewhere.begun) == 3
    site.advance(4 * 3600)
    assert taken(site) == ["a@shop.test", "later@shop.test"]
    assert site.queued() == []


def test_what_is_for_later_comes_when_it_is_due(site: QueueSite) -> None:
    begin(site)
    site.accept("bob@example.test", "later@shop.test", not_before=int(site.clock.now()) + 3600)
    site.advance(3590)
    assert taken(site) == []
    site.advance(LOOK + 20)
    assert taken(site) == ["later@shop.test"]


def test_many_at_once_come_in_their_order_and_once(site: QueueSite) -> None:
    conversation = begin(site)
    site.elsewhere.stalls = True
    send(site, *(f"u{number}@shop.test" for number in range(200)))
    site.elsewhere.stalls = False
    for _ in range(10):
        conversation.proceed()
        site.advance(0.1)
    sent = [address for carried in site.elsewhere.begun for address in carried.recipients]
    assert sent == [f"u{number}@shop.test" for number in range(200)]
    assert sorted(taken(site)) == sorted(sent)
    assert site.queued() == []
    assert not site.faults()


def test_a_hold_that_is_not_its_any_more_ends_the_turn_before_more_is_handed_over(site: QueueSite) -> None:
    conversation = begin(site, domains=["shop.test"])
    site.routes.set(holds=(evolve(HOLD, accounts=frozenset()), OTHER))
    send(site, "a@shop.test")
    site.advance(0.1)
    assert taken(site) == []
    assert conversation.closed
    with pytest.raises(NotYours):
        begin(site, domains=["shop.test"])


def test_when_the_server_stops_one_that_only_stays_does_not_hold_it_up(site: QueueSite) -> None:
    conversation = begin(site)
    stopped = site.nodes[0].stop()
    site.advance(1)
    assert stopped.called
    send(site, "a@shop.test")
    site.advance(1)
    assert site.queued() == [("a@shop.test", HELD)]
    conversation.hang_up()
    assert len(ends(site)) == 1
    assert not site.faults()


def test_while_nobody_knows_whose_the_leases_are_nothing_is_handed_over(site: QueueSite) -> None:
    begin(site)
    runner = site.nodes[0].queue.runner
    site.locks.doubtful.add(runner.id)
    send(site, "a@shop.test")
    site.advance(2)
    assert taken(site) == []
    site.locks.doubtful.discard(runner.id)
    site.advance(10)
    assert taken(site) == ["a@shop.test"]
    assert not site.faults()


class Paired:
    """Alice's account is that of a site of ours."""

    def site(self, account: str) -> object | None:
        return object() if account == "alice@example.test" else None


def test_the_site_of_a_pair_is_told_where_mail_came_from_and_others_are_not(site: QueueSite) -> None:
    turns = site.nodes[0].queue.releases.turns
    pairs: Any = Paired()
    turns.pairs = pairs
    first = begin(site, domains=["shop.test"])
    other = begin(site, domains=["other.test"], name="bob")
    assert (first.hop.tells_origin, other.hop.tells_origin) == (True, False)
    [id_] = [site.accept("bob@example.test", "a@shop.test")]
    facts = site.elsewhere.begun[-1].shipment.origin
    assert facts is not None
    assert (facts.id, facts.since) == (id_, int(site.clock.now()))


def test_what_was_read_back_from_the_queue_is_told_as_what_was_in_hand(site: QueueSite) -> None:
    send(site, "a@shop.test")
    begin(site)
    facts = site.elsewhere.begun[-1].shipment.origin
    assert facts is not None
    assert (facts.client, facts.helo, facts.protocol, facts.local) == ("192.0.2.9", "client.test", "ESMTP", False)
