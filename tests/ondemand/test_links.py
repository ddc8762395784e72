"""Links as a server looks after them: when they are up, and what then goes over them."""

from __future__ import annotations

import time

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from tests.ondemand.link_case import ALICE, BOB, DAY, DIALLED, DOWN, PROBE, UP, Agents, LinkSite, sites
from worldmail.interfaces.ondemand import LinkState
from worldmail.testing.outbound import no_connection
from worldmail.testing.queue import MESSAGE
from worldmail.testing.real_store import settle

site = pytest.fixture(sites)


def test_mail_brings_its_link_up_and_quiet_takes_it_down(site: LinkSite) -> None:
    site.start(**DIALLED)
    assert site.links.state("isp") is LinkState.DOWN and site.machine.ran == []
    site.site.accept(ALICE, BOB)
    site.pass_time(5)
    assert site.taken() == [BOB] and site.machine.ran == [UP] and site.links.state("isp") is LinkState.UP
    site.pass_time(30)
    assert site.machine.ran == [UP, DOWN] and site.links.state("isp") is LinkState.DOWN
    site.pass_time(600)
    assert site.machine.ran == [UP, DOWN] and site.site.faults() == []


def test_a_week_offline_returns_nothing_and_tells_nobody(site: LinkSite) -> None:
    site.machine.broken[UP] = b"no carrier"
    site.start(**DIALLED)
    id_ = site.site.accept(ALICE, BOB)
    (expires,) = site.site.rows("SELECT expires FROM recipient")[0]
    site.pass_time(7 * DAY, step=120)
    assert site.site.queued() == [(BOB, 0)] and site.site.mail() == [] and site.site.elsewhere.attempts == []
    assert site.site.events(id_) == ["accepted"]
    assert "no carrier" in site.known()["words"] and site.known()["ok"] == "no"
    tries = site.machine.ran.count(UP)
    assert 300 <= tries <= 360, "it is tried again, and not all the time"
    assert site.machine.ran.count(DOWN) == tries
    site.machine.broken.clear()
    site.pass_time(1900)
    assert site.taken() == [BOB] and site.site.queued() == []
    assert site.site.clock.now() - expires > DAY, "by the ordinary clock its time was over"
    assert site.site.mail() == [] and site.site.faults() == []


def test_a_link_that_its_probe_does_not_find_any_more_is_down(site: LinkSite) -> None:
    site.start(routes="there", kind="always", up=UP, probe=PROBE, interval="20s")
    site.pass_time(3)
    assert site.links.state("isp") is LinkState.UP
    site.machine.up, site.machine.works = False, False
    site.site.elsewhere.down["there.test"] = no_connection()
    site.site.advance(40, 0.25)
    assert site.links.state("isp") is not LinkState.UP and "probe: it ended with status 1" in site.known()["words"]
    site.site.accept(ALICE, BOB)
    site.pass_time(3 * DAY, step=60)
    assert site.site.mail() == []
    site.machine.works = True
    site.site.elsewhere.down.clear()
    site.pass_time(1900)
    assert site.taken() == [BOB] and site.site.faults() == []


def test_without_a_command_a_link_is_there_when_its_probe_finds_it(site: LinkSite) -> None:
    site.start(routes="there", kind="always", probe=PROBE, interval="5s")
    site.site.accept(ALICE, BOB)
    site.pass_time(60)
    assert site.links.state("isp") is LinkState.DOWN and site.taken() == [] and set(site.machine.ran) == {PROBE}
    assert len(site.site.journal.named("link.failed")) == 1, "what is as before is not told again"
    site.machine.up = True
    site.pass_time(10)
    assert site.links.state("isp") is LinkState.UP and site.taken() == [BOB]


def test_a_window_opens_and_closes_its_link(site: LinkSite) -> None:
    now = site.site.clock.now()
    begin, end = (time.strftime("%H:%M", time.localtime(now + ahead)) for ahead in (3600, 7200))
    site.start(routes="there", kind="windows", when=f"{begin}-{end}", up=UP, down=DOWN)
    site.site.accept(ALICE, BOB)
    site.pass_time(3480, step=5)
    assert site.machine.ran == [] and site.site.mail() == []
    site.pass_time(180, step=1)
    assert site.machine.ran == [UP] and site.taken() == [BOB]
    site.pass_time(3400, step=5)
    assert site.machine.ran == [UP], "in its window it stays, whatever there is to do"
    site.pass_time(300, step=1)
    assert site.machine.ran == [UP, DOWN]
    site.site.accept(ALICE, BOB)
    site.pass_time(3600, step=5)
    assert site.machine.ran == [UP, DOWN]


def test_an_interval_brings_it_up_though_there_is_nothing_to_do(site: LinkSite) -> None:
    site.start(**{**DIALLED, "when": "every 2h"})
    agents = site.links.agents = Agents(site.site, seconds=30.0)
    site.pass_time(6 * 3600, step=5)
    assert site.machine.ran == [UP, DOWN] * 3 and agents.runs == ["isp"] * 3


def test_agents_run_when_the_mail_is_gone_and_keep_the_link_up(site: LinkSite) -> None:
    agents = site.links.agents = Agents(site.site, seconds=100.0)
    site.start(**DIALLED)
    site.site.accept(ALICE, BOB)
    site.pass_time(60)
    assert agents.runs == ["isp"] and site.taken() == [BOB] and site.machine.ran == [UP]
    site.pass_time(80)
    assert site.machine.ran == [UP, DOWN] and agents.runs == ["isp"]


def test_an_agent_that_wants_to_go_over_it_brings_it_up_or_hears_that_it_cannot(site: LinkSite) -> None:
    site.start(**DIALLED)
    for name in ("", "nobody-knows-it"):
        assert settle(Deferred.fromCoroutine(site.links.want(name))) is True
    wanted = Deferred.fromCoroutine(site.links.want("isp"))
    assert not wanted.called
    site.pass_time(3)
    assert settle(wanted) is True and site.links.state("isp") is LinkState.UP
    site.pass_time(30)
    site.machine.broken[UP] = b"busy"
    wanted = Deferred.fromCoroutine(site.links.want("isp"))
    site.pass_time(3)
    assert settle(wanted) is False
    again = Deferred.fromCoroutine(site.links.want("isp"))
    site.pass_time(3)
    assert settle(again) is False and site.machine.ran.count(UP) == 2, "it rests, and that is told at once"


def test_an_administrator_takes_it_down_and_up_again(site: LinkSite) -> None:
    site.start(routes="there", kind="always", up=UP, down=DOWN)
    site.pass_time(2)
    down = site.ask("down")
    site.pass_time(3)
    assert settle(down).ok and site.machine.ran == [UP, DOWN] and site.known()["held"] == "yes"
    site.site.accept(ALICE, BOB)
    site.pass_time(3 * DAY, step=60)
    assert site.machine.ran == [UP, DOWN] and site.site.mail() == []
    up = site.ask("up")
    site.pass_time(3)
    assert settle(up).ok and site.taken() == [BOB] and "held" not in site.known()


def test_a_run_ends_when_all_is_done(site: LinkSite) -> None:
    agents = site.links.agents = Agents(site.site, seconds=20.0)
    site.start(**{**DIALLED, "when": "never", "idle": "1h"})
    for number in range(3):
        site.site.accept(ALICE, f"user{number}@there.test")
    site.pass_time(60)
    assert site.machine.ran == []
    run = site.ask("run")
    site.pass_time(10)
    assert not run.called and len(site.taken()) == 3 and agents.runs == ["isp"]
    site.pass_time(30)
    assert settle(run).ok and site.machine.ran == [UP, DOWN]


def test_a_wish_that_fails_says_why(site: LinkSite) -> None:
    site.machine.broken[UP] = b"no dial tone\n"
    site.start(**DIALLED)
    run = site.ask("run")
    site.pass_time(5)
    answer = settle(run)
    assert not answer.ok and "no dial tone" in answer.words
    settle(site.admin.set_link("isp", {"enabled": "off"}))
    site.pass_time(1)
    asked = site.ask("up")
    site.pass_time(10)
    assert not settle(asked).ok and "disabled" in settle(asked).words


def test_all_of_what_waited_goes_the_small_and_urgent_first(site: LinkSite) -> None:
    site.start(**DIALLED)
    down = site.ask("down")
    site.pass_time(2)
    assert settle(down).ok
    for name, size in (("big", 6_000), ("small", 500), ("middle", 3_000)):
        site.site.accept(ALICE, f"{name}@there.test", content=MESSAGE + b"x" * size)
    up = site.ask("up")
    site.pass_time(10)
    assert settle(up).ok and site.taken() == ["small@there.test", "middle@there.test", "big@there.test"]


def test_one_that_is_up_lets_its_agents_fetch_when_it_is_run_and_at_its_moments(site: LinkSite) -> None:
    agents = site.links.agents = Agents(site.site, seconds=5.0)
    site.start(**{**DIALLED, "kind": "on-demand", "when": "every 1h", "idle": "3h"})
    site.site.accept(ALICE, BOB)
    site.pass_time(60)
    assert agents.runs == ["isp"]
    site.pass_time(3600, step=5)
    assert agents.runs == ["isp"] * 2 and site.machine.ran == [UP]
    run = site.ask("run")
    site.pass_time(20)
    assert settle(run).ok and agents.runs == ["isp"] * 3


def test_what_an_agent_is_in_the_midst_of_may_end_before_its_link_goes_down(site: LinkSite) -> None:
    agents = site.links.agents = Agents(site.site, seconds=20.0)
    site.start(**DIALLED)
    up = site.ask("up")
    site.pass_time(3)
    assert settle(up).ok and agents.busy_with == {"isp"}
    down = site.ask("down")
    site.pass_time(10)
    assert site.machine.ran == [UP] and site.links.state("isp") is LinkState.DOWN
    site.pass_time(15)
    assert settle(down).ok and site.machine.ran == [UP, DOWN]
    agents.seconds = 3600.0
    up = site.ask("up")
    site.pass_time(3)
    down = site.ask("down")
    site.pass_time(40)
    assert settle(down).ok, "but not for ever"


@pytest.mark.parametrize("by", [-7 * DAY, 7 * DAY])
def test_a_clock_that_is_set_stops_no_link(site: LinkSite, by: float) -> None:
    site.machine.broken[UP] = b"busy"
    site.start(**DIALLED, probe=PROBE, interval="20s")
    site.site.accept(ALICE, BOB)
    site.pass_time(5)
    assert site.machine.ran == [UP, DOWN]
    site.site.clock.ahead = by
    site.machine.broken.clear()
    site.site.accept(ALICE, "carol@there.test")
    site.pass_time(40)
    assert "carol@there.test" in site.taken()
    site.site.clock.ahead = 0.0
    ran = site.machine.ran.count(PROBE)
    site.pass_time(60)
    assert site.machine.ran[-1] == DOWN and site.machine.ran.count(PROBE) <= ran + 3


def test_one_that_is_taken_down_while_it_comes_up_is_not_waited_for(site: LinkSite) -> None:
    site.machine.works = False
    site.start(**DIALLED, probe=PROBE, patience="1h")
    up = site.ask("up")
    site.pass_time(30)
    assert not up.called and site.links.state("isp") is LinkState.RISING
    down = site.ask("down")
    site.pass_time(10)
    assert settle(down).ok and not settle(up).ok and site.machine.ran[-1] == DOWN
    ran = len(site.machine.ran)
    site.pass_time(60)
    assert len(site.machine.ran) == ran


def test_one_that_is_removed_and_added_again_comes_up_after_it_went_down(site: LinkSite) -> None:
    always = {"kind": "always", "routes": "there", "up": UP, "down": DOWN}
    site.start(**always)
    site.pass_time(3)
    assert site.machine.ran == [UP]
    settle(site.admin.remove_link("isp"))
    site.site.advance(0.1, 0.1)
    settle(site.admin.add_link("isp", always))
    site.site.advance(0.2, 0.1)
    assert site.machine.ran == [UP, DOWN]
    site.pass_time(5)
    assert site.machine.ran == [UP, DOWN, UP] and site.machine.up
    assert site.links.state("isp") is LinkState.UP


def test_a_fault_in_the_midst_leaves_no_link_where_it_is(site: LinkSite) -> None:
    site.start(**DIALLED)
    site.links.lives["isp"].on = evolve(site.links.lives["isp"].on, publish=_failing)
    site.site.accept(ALICE, BOB)
    site.pass_time(2)
    site.links.lives["isp"].on = evolve(site.links.lives["isp"].on, publish=site.links._publish)
    site.pass_time(60)
    assert site.taken() == [BOB] and site.machine.ran[-1] == DOWN
    assert len(site.site.journal.failures) == 1
    site.site.journal.failures.clear()


async def _failing() -> None:
    raise RuntimeError


def test_a_server_that_stops_does_not_wait_for_long_until_a_link_is_down(site: LinkSite) -> None:
    site.start(**DIALLED, patience="1h")
    up = site.ask("up")
    site.pass_time(3)
    assert settle(up).ok
    site.machine.endless.add(DOWN)
    stopped = site.links.stopService()
    site.site.advance(15, 0.25)
    settle(stopped)
    assert site.machine.ran == [UP, DOWN]


def test_nothing_goes_before_it_is_known_by_which_links(site: LinkSite) -> None:
    site.site.accept(ALICE, BOB)
    site.pass_time(5)
    assert site.site.elsewhere.attempts == []
    site.start(**DIALLED, when="never")
    site.pass_time(120)
    assert site.site.elsewhere.attempts == []
    settle(site.admin.remove_link("isp"))
    site.site.advance(5, 0.25)
    assert site.taken() == [BOB]
