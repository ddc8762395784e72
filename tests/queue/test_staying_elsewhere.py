"""Turns that stay, whose customer hangs, or begins another one at another server of the relay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.queue.test_staying import Paired, account, begin, ends, send, site, taken
from worldmail.interfaces.releases import TurnBusy
from worldmail.queue.presence import GREETS
from worldmail.queue.turn import SUPERSEDED
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

__all__ = ["site"]


def begin_at(site: QueueSite, node: Any) -> Any:
    """Another turn of hers, at another process."""
    conversation = settle(node.queue.releases.turns.begin(account(site), None, "s", 60))
    site.advance(0.5)
    return conversation


def test_one_that_stays_asks_whether_its_customer_is_there_when_that_begins_a_turn_elsewhere(site: QueueSite) -> None:
    first = begin(site)
    other = site.add_node()
    other.start()
    second = begin_at(site, other)
    assert first.beats == 1 and not first.closed, "both are there"
    first.silent = True
    second.hang_up()
    third = begin_at(site, other)
    assert first.closed
    send(site, "a@shop.test")
    site.advance(0.5)
    assert [carried.conversation for carried in site.elsewhere.begun] == [third]
    assert taken(site) == ["a@shop.test"]
    assert not site.faults()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_a_site_of_a_pair_does_not_answer_comes_with_the_turn_that_it_begins_anew(
    site: QueueSite, elsewhere: bool
) -> None:
    pairs: Any = Paired()
    other = site.add_node()
    other.start()
    for node in site.nodes:
        node.queue.releases.turns.pairs = pairs
    hung = begin(site)
    site.elsewhere.stalls = True
    send(site, "a@shop.test")
    site.elsewhere.stalls = False
    site.advance(GREETS - 1)
    if not elsewhere:
        with pytest.raises(TurnBusy):
            begin(site)
    site.advance(1)
    again = begin_at(site, other) if elsewhere else begin(site)
    site.advance(1)
    assert hung.aborted and not again.closed
    assert [carried.conversation for carried in site.elsewhere.begun] == [hung, again]
    assert (taken(site), ends(site)) == (["a@shop.test"], [SUPERSEDED])
    assert site.queued() == []


def test_who_does_not_answer_what_it_was_sent_costs_nothing_meanwhile(site: QueueSite) -> None:
    conversation = begin(site, stay=60)
    [turn] = site.nodes[0].queue.releases.turns._turns
    looks, allowed = [], turn.allowed
    turn.allowed = lambda: looks.append(1) or allowed()
    site.elsewhere.stalls = True
    send(site, "a@shop.test")
    before = len(looks)
    site.advance(300, step=1.0)
    assert not conversation.closed and conversation.beats == 0
    assert len(looks) - before <= 300
