"""Which key of a server is the pinned one, as it shows one key and another."""

from __future__ import annotations

import gc
from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest
from twisted.logger import globalLogPublisher

from worldmail.app.renewing import AWAY, Renewing
from worldmail.database.entries import Entry
from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.outbound import Hop, Security, Shown
from worldmail.ondemand.agent_admin import AGENTS, agent_entry
from worldmail.testing.real_store import settle
from worldmail.testing.world import ManualClock, MemoryJournal

A, B, C = "aa" * 32, "bb" * 32, "cc" * 32
HOST = "relay.test"


class Site:
    """One with an agent of kind odmr whose server has the pin A."""

    def __init__(self) -> None:
        self.database, self.clock, self.journal = ImmediateDatabase(), ManualClock(), MemoryJournal()
        self.database.start()
        self.renewing = Renewing(database=self.database, clock=self.clock, journal=self.journal)
        words = {"kind": "odmr", "host": HOST, "user": "u", "password": "p", "pins": A, "renews": "on"}
        entry = agent_entry(Entry("relay", {}), words, lambda purpose, octets: octets)
        self._done(self.database.write(lambda cursor: AGENTS.add(cursor, entry)))

    @property
    def pins(self) -> str:
        entry: Entry = self._done(self.database.read(partial(AGENTS.required, name="relay")))
        return entry.texts["pins"]

    def shows(self, *pins: str, distrust: str | None = None) -> None:
        """The server has these keys, one after another."""
        for pin in pins:
            before = frozenset({self.pins})
            hop = Hop(host=HOST, addresses=(), port=366, helo="x", security=Security.PINNED, pins=before, renews=True)
            self.renewing.shown(hop, Shown(pin=pin, pinned=pin in before, distrust=distrust))

    def _done(self, work: Awaitable[Any]) -> Any:
        return settle(work)


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_key_that_nobody_saw_before_is_the_pinned_one_at_once(site: Site) -> None:
    for pin in (B, C):
        site.shows(pin)
        assert site.pins == pin
    assert len(site.journal.named("key.renewed")) == 2


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_a_work_that_is_over_leaves_no_failure_that_nobody_hears_of(site: Site) -> None:
    failures: list[str] = []
    globalLogPublisher.addObserver(
        observer := lambda event: failures.append(str(event)) if event.get("isError") else None
    )
    try:
        site.shows(B, C)
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(observer)
    assert failures == []


def test_servers_with_keys_of_their_own_do_not_put_each_other_out_at_each_connection(site: Site) -> None:
    site.shows(*[A, B, C, B] * 20)
    assert site.pins == C
    assert len(site.journal.named("key.renewed")) == 2, "each key but the first, once"


def test_a_key_that_was_replaced_comes_back_after_a_day(site: Site) -> None:
    site.shows(B)
    site.clock.advance(AWAY - 1)
    site.shows(A)
    assert site.pins == B
    site.clock.advance(1)
    site.shows(A)
    assert site.pins == A
    site.shows(B)
    assert site.pins == A


def test_a_key_for_which_nobody_vouches_is_never_pinned(site: Site) -> None:
    site.shows(B, distrust="it is self-signed")
    assert site.pins == A
