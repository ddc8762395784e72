"""Turns: what waits in a hold is handed over to who asks for it, and to nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve

from worldmail.errors import BadValue
from worldmail.interfaces.directory import Account
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.queue import Route, Selection, Standing, Via
from worldmail.interfaces.releases import NothingWaits, NotYours, TurnBusy
from worldmail.mail.address import Address
from worldmail.mail.envelope import TlsFacts
from worldmail.queue.rows import hold_waiting
from worldmail.queue.turning import IN_FLIGHT, Turns
from worldmail.testing.outbound import LATER, NEVER, UNKNOWN, no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

HELD = Standing.HELD.value
HOLD = Hold(name="shop", domains=("shop.test", ".shop.test"), accounts=frozenset({"alice@example.test"}))
OTHER = Hold(name="other", domains=("other.test",), accounts=frozenset({"bob@example.test"}))


@pytest.fixture
def site() -> QueueSite:
    made = QueueSite.make()
    made.base.add_account("bob@example.test")
    made.routes.set(holds=(HOLD, OTHER))
    made.start()
    return made


def account(site: QueueSite, name: str = "alice") -> Account:
    found = settle(site.base.memory.directory.account(Address.parse(f"{name}@example.test")))
    assert found is not None
    return found


def turns_of(site: QueueSite) -> Turns:
    return site.nodes[-1].queue.releases.turns


def begin(turns: Turns, site: QueueSite, domains: Sequence[str] | None = None, name: str = "alice") -> Any:
    return settle(turns.begin(account(site, name), domains, "s"))


def fill(site: QueueSite, *addresses: str) -> list[str]:
    return [site.accept("bob@example.test", address) for address in addresses]


def test_all_of_an_account_goes_over_its_own_connection_and_nothing_else(site: QueueSite) -> None:
    ids = fill(site, "a@shop.test", "b@north.shop.test", "c@other.test")
    conversation = begin(turns_of(site), site)
    site.advance(1)
    assert site.elsewhere.taken == [(ids[0], "a@shop.test"), (ids[1], "b@north.shop.test")]
    assert conversation.closed
    assert not site.elsewhere.attempts
    assert site.queued() == [("c@other.test", HELD)]
    assert site.events(ids[0]) == ["accepted", "delivered"]
    assert not site.faults()


def test_only_the_domains_that_are_asked_for_go(site: QueueSite) -> None:
    fill(site, "a@shop.test", "b@north.shop.test")
    begin(turns_of(site), site, ["north.shop.test"])
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["b@north.shop.test"]


def test_nothing_is_said_of_the_certificate_of_a_customer_who_was_asked_for_none(site: QueueSite) -> None:
    tls = TlsFacts(version="TLSv1.3", cipher="x", bits=256)
    site.elsewhere.make = lambda conversation: setattr(conversation, "tls", tls)
    [id_] = fill(site, "a@shop.test")
    begin(turns_of(site), site)
    site.advance(1)
    [logged] = site.journal.named("delivery")
    assert logged["tls"] == "TLSv1.3" and logged.get("verified") is None
    assert "TLSv1.3" in site.details(id_, "delivered")[0] and "verified" not in site.details(id_, "delivered")[0]


@pytest.mark.parametrize("domains", [["other.test"], ["shop.test", "other.test"], ["nowhere.test"], ["example.test"]])
def test_one_domain_of_somebody_else_refuses_all(site: QueueSite, domains: list[str]) -> None:
    fill(site, "a@shop.test", "c@other.test")
    with pytest.raises(NotYours):
        begin(turns_of(site), site, domains)
    site.advance(60)
    assert not site.elsewhere.taken


def test_who_has_no_hold_and_where_nothing_waits_is_told_so(site: QueueSite) -> None:
    with pytest.raises(NothingWaits):
        begin(turns_of(site), site)
    site.routes.set(holds=(OTHER,))
    with pytest.raises(NotYours):
        begin(turns_of(site), site)


def test_while_one_turn_goes_on_another_is_told_to_come_later(site: QueueSite) -> None:
    fill(site, "a@shop.test")
    site.elsewhere.stalls = True
    turns = turns_of(site)
    conversation = begin(turns, site)
    with pytest.raises(TurnBusy):
        begin(turns, site)
    site.elsewhere.stalls = False
    conversation.proceed()
    site.advance(1)
    fill(site, "b@shop.test")
    begin(turns, site)
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["a@shop.test", "b@shop.test"]


def test_two_servers_may_hand_over_at_once_and_nothing_goes_twice(site: QueueSite) -> None:
    fill(site, *(f"u{number}@shop.test" for number in range(130)))
    first = turns_of(site)
    site.add_node().start()
    second = turns_of(site)
    site.elsewhere.stalls = True
    begin(first, site)
    begin(second, site)
    site.elsewhere.stalls = False
    for conversation in site.elsewhere.conversations:
        conversation.proceed()
    site.advance(5)
    assert len(site.elsewhere.taken) == len(set(site.elsewhere.taken)) == 130
    assert site.queued() == []
    assert not site.faults()


def test_what_is_refused_for_now_is_held_again_and_what_is_refused_for_good_is_told(site: QueueSite) -> None:
    site.elsewhere.fates = {"later@shop.test": [LATER], "never@shop.test": [NEVER]}
    fill(site, "later@shop.test", "never@shop.test", "ok@shop.test")
    begin(turns_of(site), site)
    site.advance(30)
    assert site.queued() == [("later@shop.test", HELD)]
    assert [address for _, address in site.elsewhere.taken] == ["ok@shop.test"]
    [report] = site.mail("bob@example.test")
    assert b"never@shop.test" in report
    site.advance(86400, 600)
    assert len(site.elsewhere.begun) == 3


def test_a_turn_that_breaks_loses_nothing_and_the_next_one_has_the_rest(site: QueueSite) -> None:
    site.elsewhere.fates = {"u5@shop.test": [UNKNOWN]}
    ids = fill(site, *(f"u{number}@shop.test" for number in range(20)))
    begin(turns_of(site), site)
    site.advance(5)
    left = [address for address, state in site.queued() if state == HELD]
    assert "u5@shop.test" in left
    assert len(left) + len(site.elsewhere.taken) == 20
    site.elsewhere.fates.clear()
    begin(turns_of(site), site)
    site.advance(5)
    assert site.queued() == []
    assert {id_ for id_, _ in site.elsewhere.taken} == set(ids)
    assert not site.faults()


def test_a_customer_whose_server_does_not_greet_gets_nothing_and_may_come_again(site: QueueSite) -> None:
    fill(site, "a@shop.test")
    turns = turns_of(site)

    def fail(conversation: Any) -> None:
        conversation.failure = no_connection()

    site.elsewhere.make = fail
    begin(turns, site)
    site.advance(1)
    assert site.queued() == [("a@shop.test", HELD)]
    site.elsewhere.make = lambda conversation: None
    begin(turns, site)
    site.advance(1)
    assert site.queued() == []
    assert not site.faults()


def test_no_more_is_on_its_way_than_may_be(site: QueueSite) -> None:
    fill(site, *(f"u{number}@shop.test" for number in range(IN_FLIGHT + 20)))
    site.elsewhere.stalls = True
    conversation = begin(turns_of(site), site)
    assert len(site.elsewhere.begun) == IN_FLIGHT
    site.elsewhere.stalls = False
    conversation.abort()
    site.advance(5)
    assert {state for _, state in site.queued()} == {HELD}
    assert not site.faults()


def test_when_the_server_stops_what_was_not_taken_is_held(site: QueueSite) -> None:
    fill(site, *(f"u{number}@shop.test" for number in range(200)))
    site.elsewhere.stalls = True
    begin(turns_of(site), site)
    stopped = site.node.stop()
    site.advance(30)
    assert stopped.called
    states = [state for _, state in site.queued()]
    assert set(states) == {HELD}
    assert not site.faults()


def test_when_the_process_dies_what_it_had_is_waiting_for_the_next_turn(site: QueueSite) -> None:
    ids = fill(site, *(f"u{number}@shop.test" for number in range(10)))
    site.elsewhere.stalls = True
    begin(turns_of(site), site)
    site.node.crash()
    site.elsewhere.stalls = False
    site.restart()
    site.advance(60)
    assert len(site.queued()) == 10
    begin(turns_of(site), site)
    site.advance(5)
    assert site.queued() == []
    assert {id_ for id_, _ in site.elsewhere.taken} == set(ids)
    assert not site.faults()


def test_what_an_administrator_holds_and_what_is_for_later_does_not_go(site: QueueSite) -> None:
    site.accept("bob@example.test", "later@shop.test", not_before=int(site.clock.now()) + 3600)
    [id_, _] = fill(site, "held@shop.test", "go@shop.test")
    settle(site.admin.hold(Selection(id=id_)))
    settle(site.admin.release(Selection(id=id_)))
    settle(site.admin.hold(Selection(id=id_)))
    begin(turns_of(site), site)
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["go@shop.test"]


def test_one_message_of_a_hold_is_kept_back_by_an_administrator_until_it_is_released(site: QueueSite) -> None:
    [id_, _] = fill(site, "kept@shop.test", "go@shop.test")
    assert settle(site.admin.hold(Selection(id=id_))) == 1
    assert settle(site.admin.hold(Selection(id=id_))) == 0
    begin(turns_of(site), site)
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["go@shop.test"]
    site.advance(40 * 86400, 43200)  # its time stands
    assert site.queued() == [("kept@shop.test", Standing.HELD.value)]
    assert settle(site.admin.release(Selection(id=id_))) == 1
    site.advance(60)
    begin(turns_of(site), site)
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["go@shop.test", "kept@shop.test"]
    assert not site.faults()


def test_what_only_a_turn_can_take_is_not_released_to_come_back_to_its_sender(site: QueueSite) -> None:
    site.routes.set(Route(name="smart", domain="other.test", via=Via.HOST, host="smart.test"), holds=(HOLD, OTHER))
    [id_, _, _] = fill(site, "a@shop.test", "b@north.shop.test", "c@other.test")
    for selection in (Selection(id=id_), Selection(route="shop"), Selection(recipient="a@shop.test")):
        with pytest.raises(BadValue, match=r"^mail for \S*shop.test waits in the hold shop for who fetches it"):
            settle(site.admin.release(selection))
    with pytest.raises(BadValue, match=r"^1 recipient released, but mail for north.shop.test waits"):
        settle(site.admin.release(Selection()))
    site.advance(60)
    assert [address for _, address in site.elsewhere.taken] == ["c@other.test"], "by its route"
    assert site.queued() == [("a@shop.test", HELD), ("b@north.shop.test", HELD)]
    assert site.events(id_) == ["accepted"]
    begin(turns_of(site), site)
    site.advance(1)
    assert site.queued() == [] and not site.faults()


def test_a_route_of_the_same_domain_does_not_come_in_the_way(site: QueueSite) -> None:
    site.routes.set(Route(name="r", domain="shop.test"), holds=(evolve(HOLD),))
    fill(site, "a@shop.test")
    begin(turns_of(site), site)
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["a@shop.test"]


def test_a_hold_that_is_taken_away_ends_the_turn_before_more_of_it_is_leased(site: QueueSite) -> None:
    fill(site, *(f"u{number}@shop.test" for number in range(130)))
    site.elsewhere.stalls = True
    conversation = begin(turns_of(site), site)
    site.routes.set(holds=(evolve(HOLD, accounts=frozenset({"bob@example.test"})), OTHER))
    site.elsewhere.stalls = False
    conversation.proceed()
    site.advance(5)
    assert IN_FLIGHT <= len(site.elsewhere.taken) <= 100
    assert len(site.queued()) == 130 - len(site.elsewhere.taken)
    assert {state for _, state in site.queued()} == {HELD}
    begin(turns_of(site), site, name="bob")
    site.advance(5)
    assert len(set(site.elsewhere.taken)) == 130 and site.queued() == []


def test_a_turn_touches_nothing_of_what_is_held_already_before_it_takes_it(site: QueueSite) -> None:
    fill(site, *(f"u{number}@shop.test" for number in range(5)))
    [(destination,)] = site.rows("SELECT id FROM destination")

    def unit(cursor: Any) -> int:
        [(before,)] = cursor.all("SELECT total_changes()")
        hold_waiting(cursor, destination)
        [(after,)] = cursor.all("SELECT total_changes()")
        return int(after) - int(before)

    assert settle(site.base.database.write(unit)) == 0


def test_a_report_of_what_a_customer_refused_does_not_say_as_whom_it_signs_in(site: QueueSite) -> None:
    site.elsewhere.fates["a@shop.test"] = [NEVER]
    fill(site, "a@shop.test")
    begin(turns_of(site), site)
    site.advance(5)
    (report,) = site.mail("bob@example.test")
    assert b"Diagnostic-Code: smtp; 5" in report and b"The other server said:" in report
    assert b"erver alice@example.test" not in report and b"Remote-MTA" not in report
