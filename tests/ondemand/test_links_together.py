"""Links among several servers, from one run to the next, and within the bounds of what they may cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ondemand.link_case import ALICE, BOB, DAY, DIALLED, DOWN, UP, LinkSite, Machine, service, sites
from worldmail.interfaces.ondemand import LinkState
from worldmail.ondemand.link_service import LOCK
from worldmail.testing.queue import MESSAGE
from worldmail.testing.real_store import settle

site = pytest.fixture(sites)


def test_one_of_several_servers_looks_after_the_links_and_the_next_takes_over(site: LinkSite) -> None:
    site.start(**DIALLED)
    other = service(site.site, Machine(site.site))
    site.site.node.queue.runner.carriage.meter = site.links.meter
    other.startService()
    site.pass_time(2)
    assert site.links.driving and not other.driving and other.state("isp") is LinkState.DOWN
    up = site.ask("up")
    site.pass_time(3)
    assert settle(up).ok and other.state("isp") is LinkState.UP
    stopped = site.links.stopService()
    site.pass_time(3)
    settle(stopped)
    assert site.machine.ran == [UP, DOWN] and not site.links.driving
    site.pass_time(3)
    assert other.driving and other.state("isp") is LinkState.DOWN
    stopped = other.stopService()
    site.pass_time(1)
    settle(stopped)
    assert LOCK not in site.site.locks.taken


def test_a_server_whose_lock_another_has_drives_no_more(site: LinkSite) -> None:
    site.start(**DIALLED)
    site.site.locks.doubt(LOCK)
    site.site.accept(ALICE, BOB)
    site.pass_time(5)
    assert not site.links.driving and site.machine.ran == []
    taken: Any = settle(site.site.locks.lock(LOCK))
    site.pass_time(5)
    assert not site.links.driving and site.machine.ran == []
    settle(taken.release())
    site.pass_time(5)
    assert site.links.driving and site.taken() == [BOB]


def test_who_takes_over_answers_what_was_wished_of_the_server_before(site: LinkSite) -> None:
    site.machine.endless.add(UP)
    site.start(**DIALLED)
    other = service(site.site, Machine(site.site))
    other.startService()
    up = site.ask("up")
    site.pass_time(3)
    assert site.machine.ran == [UP] and not up.called
    site.site.locks.doubt(LOCK)
    site.pass_time(5)
    answer = settle(up)
    assert not answer.ok and "stopped, or hangs" in answer.words
    assert other.driving
    stopped = other.stopService()
    site.pass_time(3)
    settle(stopped)


def test_a_server_that_stops_answers_what_was_wished_of_it(site: LinkSite) -> None:
    site.machine.endless.add(UP)
    site.start(**DIALLED)
    up = site.ask("up")
    site.pass_time(3)
    stopped = site.links.stopService()
    site.pass_time(3)
    settle(stopped)
    site.pass_time(1)
    assert not settle(up).ok


def test_a_metered_link_carries_no_more_than_its_day_allows_the_small_and_urgent_first(site: LinkSite) -> None:
    site.start(**{**DIALLED, "kind": "metered", "most": "10kB"})
    up = site.ask("down")
    site.pass_time(2)
    assert settle(up).ok
    for name, size in (("huge", 20_000), ("big", 6_000), ("middle", 3_000), ("small", 500)):
        site.site.accept(ALICE, f"{name}@there.test", content=MESSAGE + b"x" * size)
    up = site.ask("up")
    site.pass_time(10)
    assert settle(up).ok
    assert site.taken() == ["small@there.test", "middle@there.test", "big@there.test"]
    assert 9_500 < site.links.lives["isp"].budget.spent <= 10_000
    site.pass_time(3600, step=10)
    assert site.machine.ran == [UP, DOWN], "what does not fit does not bring it up"
    assert "carries 10kB a day" in site.site.rows("SELECT reply FROM recipient")[0][0]
    site.pass_time(3600, step=10)
    site.site.accept(ALICE, "more@there.test", content=MESSAGE + b"x" * 5000)
    site.pass_time(20)
    assert len(site.taken()) == 3
    site.pass_time(DAY, step=30)
    assert site.taken()[3:] == ["more@there.test"]
    assert site.site.faults() == []


def test_what_was_spent_today_is_spent_after_a_restart(site: LinkSite) -> None:
    site.start(**{**DIALLED, "kind": "metered", "most": "10kB"})
    site.site.accept(ALICE, BOB, content=MESSAGE + b"x" * 6000)
    site.pass_time(5)
    stopped = site.links.stopService()
    site.pass_time(3)
    settle(stopped)
    again = service(site.site, site.machine)
    again.startService()
    site.pass_time(2)
    assert again.lives["isp"].budget.spent > 6000
    site.site.accept(ALICE, "carol@there.test", content=MESSAGE + b"x" * 6000)
    site.pass_time(60)
    assert site.taken() == [BOB]


def test_one_link_that_cannot_be_read_leaves_the_others_alone(site: LinkSite) -> None:
    settle(site.admin.add_link("odd", {"routes": "there", "idle": "5s"}))
    settle(
        site.site.base.database.write(
            lambda cursor: cursor.run("UPDATE entry SET texts = ? WHERE name = 'odd'", ('{"kind": "quantum"}',))
        )
    )
    site.start(**DIALLED)
    site.site.accept(ALICE, BOB)
    site.pass_time(5)
    assert site.taken() == [BOB] and site.links.state("odd") is LinkState.UP


def test_a_server_that_does_not_look_after_a_metered_link_takes_no_mail_of_it(site: LinkSite) -> None:
    other = service(site.site, Machine(site.site))
    site.start(**{**DIALLED, "kind": "metered", "most": "10kB"})
    other.startService()
    site.pass_time(2)
    up = site.ask("up")
    site.pass_time(3)
    assert settle(up).ok and site.site.node.queue.runner.carriage.meter is other.meter and not other.driving
    site.site.accept(ALICE, BOB)
    site.pass_time(60)
    assert site.site.rows("SELECT state, attempts FROM recipient") == [(0, 0)] and site.taken() == []
    site.site.node.queue.runner.carriage.meter = site.links.meter
    site.pass_time(60)
    assert site.taken() == [BOB]


def test_a_metered_link_beside_another_counts_what_goes_while_it_is_the_only_one(site: LinkSite) -> None:
    settle(site.admin.add_link("sat", {**DIALLED, "kind": "metered", "most": "10kB", "when": "never"}))
    site.start(routes="there", kind="always")
    site.site.accept(ALICE, BOB, content=MESSAGE + b"x" * 20_000)
    site.pass_time(5)
    assert site.taken() == [BOB] and site.links.lives["sat"].budget.spent == 0
    down, up = site.ask("down"), site.ask("up", "sat")
    site.pass_time(3)
    assert settle(down).ok and settle(up).ok
    site.site.accept(ALICE, "small@there.test")
    site.site.accept(ALICE, "big@there.test", content=MESSAGE + b"x" * 20_000)
    site.pass_time(5)
    assert site.taken()[1:] == ["small@there.test"] and 0 < site.links.lives["sat"].budget.spent < 10_000
