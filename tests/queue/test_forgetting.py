"""Rows of destinations go when nothing was queued for them for a day, and never under somebody's hands."""

from __future__ import annotations

import pytest

from worldmail.interfaces.queue import Route, Selection
from worldmail.interfaces.resting import Behind
from worldmail.queue import forgetting
from worldmail.testing.outbound import LATER, no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
DAY = 86_400
KEYS = "SELECT key FROM destination ORDER BY key"


def keys(site: QueueSite) -> list[str]:
    return [row[0].removeprefix("mx ") for row in site.rows(KEYS)]


def site_that_sends() -> QueueSite:
    site = QueueSite.make(lifetime=20 * DAY, warn_after=0)
    site.start()
    return site


def test_a_destination_is_forgotten_a_day_after_its_last_message_and_made_anew_by_the_next() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    site.advance(DAY - 4000, step=600)
    assert keys(site) == ["there.test"]
    site.advance(12_000, step=600)
    assert keys(site) == []
    again = site.accept(ALICE, "bob@there.test", "carol@there.test")
    assert site.events(again) == ["accepted", "delivered"] and keys(site) == ["there.test"]
    (destination,) = site.node.queue.runner.destinations
    assert site.rows("SELECT id FROM destination") == [(destination.id,)] and site.faults() == []


def test_what_something_is_queued_for_stays_and_what_rests() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {"waits.test": [LATER], "held.test": [LATER]}
    site.routes.set(Route(name="down", domain="down.test"))
    site.elsewhere.stalls = False
    site.accept(ALICE, "bob@waits.test", "carol@held.test", "dan@down.test")
    settle(site.admin.hold(Selection(domain="held.test")))
    settle(site.node.queue.resting.follow({"down": Behind(since=int(site.clock.now()))}))
    site.elsewhere.stalls = True
    site.accept(ALICE, "eve@tried.test")
    site.elsewhere.down["rests.test"] = no_connection()
    site.accept(ALICE, "fred@rests.test")
    settle(site.admin.remove(Selection(domain="rests.test"), False))
    settle(
        site.base.database.write(
            lambda cursor: cursor.run(
                "UPDATE destination SET rest_until = ? WHERE key = 'mx rests.test'", (int(site.clock.now()) + 9 * DAY,)
            )
        )
    )
    site.advance(3 * DAY, step=600)
    assert keys(site) == ["down.test down", "held.test", "rests.test", "tried.test", "waits.test"]
    assert site.faults() == []


def test_a_day_begins_anew_when_something_was_seen_there() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    site.advance(DAY // 2, step=600)
    site.elsewhere.fates["there.test"] = [LATER]
    site.accept(ALICE, "bob@there.test")
    site.advance(8000, step=600)
    settle(site.admin.remove(Selection(), False))
    site.advance(DAY // 2 + 8000, step=600)
    assert keys(site) == ["there.test"]


def test_a_row_that_is_used_between_the_look_and_the_removal_stays() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    ((id_,),) = site.rows("SELECT id FROM destination")
    site.elsewhere.stalls = True
    site.accept(ALICE, "bob@there.test")
    now = int(site.clock.now())
    assert settle(site.base.database.write(lambda cursor: forgetting._remove(cursor, some=[id_], now=now))) == 0
    assert keys(site) == ["there.test"]


def test_nothing_is_removed_while_the_queue_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "SMALL", 3)
    site = site_that_sends()
    site.elsewhere.fates["waits.test"] = [LATER]
    site.accept(ALICE, *(f"r{i}@waits.test" for i in range(4)), "bob@there.test")
    site.advance(2 * DAY, step=600)
    assert keys(site) == ["there.test", "waits.test"]
    monkeypatch.setattr(forgetting, "SMALL", 4)
    site.advance(8000, step=600)
    assert keys(site) == ["waits.test"]
