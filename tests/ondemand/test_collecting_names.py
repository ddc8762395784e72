"""Names of messages that a server changes, and servers that give none and have very many messages."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import TimeoutError as TimedOut

from tests.ondemand.collecting_site import CollectingSite, text
from worldmail.ondemand.collecting_tally import TOLD, Tally
from worldmail.testing.real_store import settle

ANN = "ann@example.test"


def site_with(count: int, **changes: Any) -> CollectingSite:
    """So many messages for ann lie there."""
    site = CollectingSite()
    site.remote.messages = {f"u{n}": numbered(n) for n in range(count)}
    for name, value in changes.items():
        setattr(site.remote, name, value)
    return site


def numbered(n: int) -> bytes:
    return text(ANN, more=f"Message-ID: <{n}@far.test>\r\n")


def rename_all(site: CollectingSite) -> None:
    """The server gives all that lies there other names."""
    site.remote.messages = {f"new {name}": content for name, content in site.remote.messages.items()}


def count(site: CollectingSite) -> int:
    return len(site.mail("ann"))


@pytest.mark.parametrize("at_once", ["2", "100"])
def test_what_stays_there_is_taken_once_though_the_server_changes_all_names(at_once: str) -> None:
    site = site_with(5)
    for _ in range(3):
        assert site.run(leave="7", at_once=at_once).ok
    rename_all(site)
    site.remote.messages["fresh"] = numbered(99)
    words = ""
    for _ in range(4):
        result = site.run(leave="7", at_once=at_once)
        assert result.ok
        words += result.words
    assert count(site) == 6 and "fetched before have new names there" in words
    assert site.names() == sorted(site.remote.messages)
    site.base.memory.clock.advance(7 * 86400)
    assert site.run(leave="7").ok and site.remote.messages == {}


def test_a_connection_that_is_lost_while_names_are_new_doubles_nothing() -> None:
    site = site_with(6)
    assert site.run(leave="7").ok
    rename_all(site)
    for after in range(2, 8):
        site.remote.lost_after = after
        site.run(leave="7")
    site.remote.lost_after = None
    assert site.run(leave="7").ok
    assert count(site) == 6 and site.names() == sorted(site.remote.messages)


def test_what_somebody_else_deleted_there_keeps_no_other_message_from_being_taken() -> None:
    site = site_with(2)
    assert site.run(leave="forever").ok
    site.remote.messages = {"u2": numbered(0) + b"and more\r\n"}  # the same fields, another text
    assert site.run(leave="forever").ok
    assert count(site) == 3


def test_what_was_deleted_as_it_was_to_be_is_taken_again_if_it_comes_again() -> None:
    site = site_with(1)
    for leave in ("0", "7"):
        assert site.run(leave=leave).ok
        site.base.memory.clock.advance(8 * 86400)
        assert site.run(leave=leave).ok and site.remote.messages == {}
        site.remote.messages = {f"again {leave}": numbered(0)}
    assert site.run(leave="7").ok
    assert count(site) == 3


def test_of_a_server_without_names_only_as_many_headers_are_read_as_a_run_fetches() -> None:
    site = site_with(100, nameless=True)
    result = site.run(at_once="10")
    assert result.ok and result.messages == 10 and "90 wait for the next run" in result.words
    assert len(site.remote.looked) < 20
    said = site.test(at_once="10")
    assert said[1] == "90 messages there" and said[-1] == "80 more wait for the run after the next one"
    for _ in range(9):
        assert site.run(at_once="10").ok
    assert count(site) == 100 and site.remote.messages == {}
    assert len(site.remote.looked) < 300


def test_of_such_a_server_what_stays_there_is_found_behind_what_was_fetched() -> None:
    site = site_with(30, nameless=True)
    for _ in range(4):
        assert site.run(at_once="10", leave="forever").ok
    assert count(site) == 30 and len(site.names()) == 30
    site.remote.messages.pop("u3")
    assert site.run(at_once="10", leave="forever").ok
    assert count(site) == 30 and len(site.names()) == 29


def test_headers_may_take_as_long_as_they_come_and_a_server_that_drips_them_is_left() -> None:
    site = site_with(200, nameless=True)
    clock = site.base.memory.clock
    site.remote.messages = {
        name: b"X-Long: %b\r\n" % (b"x" * 900) + content for name, content in site.remote.messages.items()
    }

    async def in_time(work: Awaitable[Any], seconds: float) -> Any:
        began = clock.seconds()
        result = await work
        if clock.seconds() - began > seconds:
            raise TimedOut
        return result

    def run() -> Any:
        errand = site.errand()
        errand.surroundings = evolve(errand.surroundings, in_time=in_time)
        return settle(errand.run(site.agent(leave="forever")))

    site.remote.slow = lambda: clock.advance(15)
    assert run().ok and count(site) == 200
    site.remote.slow = lambda: clock.advance(60)
    result = run()
    assert not result.ok and "too slowly" in result.words


def test_very_many_recipients_are_counted_rather_than_named() -> None:
    site = CollectingSite()
    site.remote.messages = {"a": text(", ".join(f"u{n}@example.test" for n in range(500)))}
    [said] = [line for line in site.test() if line.startswith("message 1")]
    assert said.endswith("u18@example.test, u19@example.test and 480 more")


def test_of_very_many_that_stay_there_a_few_are_explained() -> None:
    site = site_with(200, sizes={f"u{n}": 1 << 40 for n in range(200)})
    tally = Tally()
    for n in range(200):
        tally.leave(f"u{n}", f"too large {n}")
    assert sum(map(bool, tally.left.values())) == TOLD
    result = site.run()
    assert not result.ok and "; 200 left there: message 1 (u0): it has" in result.words
    assert result.words.endswith("; and 195 more")
