"""What relays handed over is remembered for long enough, and not for ever."""

from __future__ import annotations

from worldmail.interfaces.store import Handover
from worldmail.store.arrived import KEPT, SLICE, Arrivals, have_arrived, note_arrival
from worldmail.testing.real_store import RealStoreWorld, settle

NOW = 1_700_000_000


def test_what_is_older_than_any_second_attempt_is_forgotten() -> None:
    database = RealStoreWorld.make().database
    old, new = Handover(relay="relay.test", message="old"), Handover(relay="relay.test", message="new")
    many = [f"u{number}@a.test" for number in range(2 * SLICE + 7)]
    settle(database.write(lambda cursor: note_arrival(cursor, old, many, NOW)))
    settle(database.write(lambda cursor: note_arrival(cursor, new, many[:3], NOW + 1)))
    settle(Arrivals(database=database).forget(NOW + KEPT + 1))
    assert settle(database.read(lambda cursor: have_arrived(cursor, old))) == frozenset()
    assert settle(database.read(lambda cursor: have_arrived(cursor, new))) == frozenset(many[:3])
