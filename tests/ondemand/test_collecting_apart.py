"""Fetching mail: what one recipient, or one message, keeps from the others, and how long a server is borne with."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.ondemand.collecting_site import CollectingSite, result_of, text
from tests.ondemand.test_collecting import Failing
from worldmail.testing.remote_drop import MemoryRemote

BOTH = text("ann@example.test, full@example.test")
ROOM = "UPDATE account SET quota = 100000 WHERE quota = 10"


def site_with(messages: dict[str, bytes], **fields: Any) -> CollectingSite:
    return CollectingSite(remote=MemoryRemote(messages=dict(messages), **fields))


def change(site: CollectingSite, sql: str, *parameters: Any) -> None:
    from worldmail.testing.real_store import settle

    settle(site.base.database.write(lambda cursor: cursor.run(sql, parameters)))


def count(site: CollectingSite, *names: str) -> list[int]:
    return [len(site.mail(name)) for name in names]


def test_who_has_room_gets_a_message_at_once_and_who_has_none_when_there_is_some() -> None:
    site = site_with({"a": BOTH, "b": text("bob@example.test")})
    for words in ("no room for it at full@example.test; the others have it", "Mailbox is full", "Mailbox is full"):
        result = site.run()
        assert not result.ok and words in result.words
        assert count(site, "ann", "full", "bob") == [1, 0, 1]
        assert list(site.remote.messages) == ["a"] and "a" not in site.names()
    change(site, ROOM)
    assert site.run().words == "1 fetched from pop.b.test[192.0.2.1]:995, 1 deleted there"
    assert count(site, "ann", "full", "bob") == [1, 1, 1]
    assert site.remote.messages == {} and site.rows("SELECT 1 FROM arrived") == []
    assert site.run().ok and site.names() == []


def test_what_all_have_by_then_is_fetched() -> None:
    site = site_with({"a": text("ann@example.test, bob@example.test, full@example.test")})
    site.run()
    site.remote.messages["a"] = text("ann@example.test, bob@example.test")  # full is not among them any more
    assert site.run().ok
    assert count(site, "ann", "bob", "full") == [1, 1, 0]
    assert site.remote.messages == {} and site.rows("SELECT 1 FROM arrived") == []


def test_a_domain_that_is_full_keeps_nothing_from_whom_its_bound_is_not_for() -> None:
    site = site_with({"a": text("postmaster@example.test, ann@example.test")})
    change(site, "UPDATE domain SET quota = 1, octets = 1")
    assert "no room for it at ann@example.test" in site.run().words
    assert count(site, "postmaster", "ann") == [1, 0]


def test_a_message_that_is_too_large_for_one_goes_to_the_others() -> None:
    site = site_with({"a": text("ann@example.test, small@example.test", body="x" * 5000)})
    site.accounts["small"] = site.base.add_account("small@example.test", max_message=1000)
    assert "at small@example.test" in site.run().words
    for _ in range(2):
        assert "larger than a recipient takes" in site.run().words
        assert count(site, "ann", "small") == [1, 0] and "a" in site.remote.messages


def test_what_is_remembered_of_some_goes_with_the_message_and_with_the_mailbox() -> None:
    site = site_with({"a": BOTH})
    site.run()
    assert len(site.rows("SELECT 1 FROM arrived")) == 1
    site.remote.messages.clear()
    site.run()
    assert site.rows("SELECT 1 FROM arrived") == []


def test_it_is_remembered_for_as_long_as_the_message_lies_there() -> None:
    site = site_with({"a": BOTH})
    site.run()
    site.base.memory.clock.advance(399 * 86400)
    site.run()
    [at] = site.rows("SELECT at FROM arrived", read=lambda row: row[0])
    assert site.base.memory.clock.now() - at < 100 and count(site, "ann") == [1]


@pytest.mark.parametrize("word", ["before", "after"])
@pytest.mark.parametrize("at", range(5))
def test_a_database_that_fails_meanwhile_loses_and_doubles_nothing(word: str, at: int) -> None:
    site = site_with({"a": BOTH, "b": text("bob@example.test")})
    site.database = Failing(site.base.database, [*[""] * at, word])
    for _ in range(3):
        site.run()
    change(site, ROOM)
    for _ in range(2):
        site.run()
    assert count(site, "ann", "full", "bob") == [1, 1, 1]
    assert site.remote.messages == {} and site.rows("SELECT 1 FROM arrived") == []


def many(number: int) -> dict[str, bytes]:
    return {f"u{n}": text("ann@example.test", f"X-Number: {n}\r\n") for n in range(number)}


@pytest.mark.parametrize("poison", [{"u0"}, {"u7"}, {"u39"}, {"u0", "u20"}])
def test_a_message_at_which_the_conversation_breaks_is_the_only_one_that_is_left(poison: set[str]) -> None:
    site = site_with(many(40), poison=poison)
    result = site.run()
    assert (result.ok, result.messages) == (False, 40 - len(poison))
    assert set(site.remote.messages) == poison and "breaks at it" in result.words
    left = [fields["message"] for event, fields in site.base.memory.journal.records if event == "collection.left"]
    assert set(left) == poison
    site.remote.poison = set()
    assert site.run().messages == len(poison)
    assert count(site, "ann") == [40] and site.remote.messages == {}


def test_of_very_many_such_messages_one_run_after_the_other_gets_past_some() -> None:
    poison = {f"u{n}" for n in range(12)}
    site = site_with(many(14), poison=poison)
    errand, agent = site.errand(), site.agent(at_once="2")
    for _ in range(30):
        result_of(Deferred.fromCoroutine(errand.run(agent)))
        if set(site.remote.messages) == poison:
            break
    assert set(site.remote.messages) == poison and count(site, "ann") == [2]


def test_a_size_that_is_a_lie_ends_no_run() -> None:
    huge = text("ann@example.test", body="x" * 500_000)
    site = site_with({"a": huge, **many(3)}, sizes={"a": 10}, piece=1000)
    result = site.run(largest="20000")
    assert result.messages == 3 and list(site.remote.messages) == ["a"]
    assert site.remote.conversations <= 4


def test_a_server_that_drips_is_left() -> None:
    site = site_with({"a": text("ann@example.test", body="x" * 100_000)}, piece=1)
    site.remote.slow = lambda: site.base.memory.clock.advance(5)
    result = site.run()
    assert not result.ok and "too slowly" in result.words
    assert site.remote.conversations == 1 and count(site, "ann") == [0]
    site.remote.slow = lambda: site.base.memory.clock.advance(0.01)
    assert site.run().ok and count(site, "ann") == [1]
