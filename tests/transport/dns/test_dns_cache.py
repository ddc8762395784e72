"""What is kept of findings, and how much."""

from __future__ import annotations

from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from worldmail.transport.dns.cache import STALE_AGAIN_SECONDS, STALE_SECONDS, Cache
from worldmail.transport.dns.findings import Finding, Kind
from worldmail.transport.dns.message import Question, RecordType


@define
class Now:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def question(name: str, kind: RecordType = RecordType.A) -> Question:
    return Question(name=name, type=kind)


def addresses(*found: str, ttl: float = 100) -> Finding:
    return Finding(kind=Kind.RECORDS, records=found, ttl=ttl)


def test_what_was_not_asked_for_the_longest_time_goes_first() -> None:
    cache = Cache(seconds=Now(), room=4)
    for name in ("a", "b"):
        cache.put(question(name), addresses("192.0.2.1"))
    assert cache.get(question("a"))
    cache.put(question("c"), addresses("192.0.2.1"))
    assert cache.get(question("b")) is None
    assert cache.get(question("a")) and cache.get(question("c"))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.integers(0, 2000))))
def test_it_never_outgrows_its_room(puts: list[tuple[int, int, int]]) -> None:
    cache = Cache(seconds=Now(), room=50)
    for name, records, length in puts:
        cache.put(question(str(name)), addresses(*["x" * length] * records))
        kept = [cache.get(question(str(number))) for number in range(21)]
        texts = [text for found in kept if found for text in found.records]
        assert len(cache) == sum(found is not None for found in kept)
        assert len(cache) + len(texts) + sum(len(text) // 64 for text in texts) <= 50


def test_what_is_too_large_for_it_is_not_kept() -> None:
    cache = Cache(seconds=Now(), room=5)
    cache.put(question("a"), addresses(*["x"] * 5))
    assert len(cache) == 0


def test_addresses_are_revived_and_nothing_else_is() -> None:
    now = Now()
    cache = Cache(seconds=now)
    old = addresses("192.0.2.1")
    alias = Finding(kind=Kind.ALIAS, target="b", ttl=100)
    for kind in (RecordType.A, RecordType.MX):
        cache.put(question("a", kind), old)
        cache.put(question("b", kind), alias)
        cache.put(question("c", kind), Finding(kind=Kind.NO_NAME, ttl=100))
    now.seconds += 101
    assert cache.get(question("a")) is None
    assert cache.revive(question("a")) == cache.get(question("a")) == old
    assert cache.revive(question("b")) == alias
    assert cache.revive(question("c")) is None
    assert cache.revive(question("never")) is None
    assert all(cache.revive(question(name, RecordType.MX)) is None for name in "abc")
    now.seconds += STALE_AGAIN_SECONDS + 1
    assert cache.get(question("a")) is None
    now.seconds += STALE_SECONDS
    assert cache.revive(question("a")) is None
