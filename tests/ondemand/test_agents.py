"""The agents of a server: when they run, what is known of it, and how they end."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.ondemand.agent_case import BAD, GOOD, MONDAY, AgentsCase, Lock
from worldmail.interfaces.ondemand import IAgents
from worldmail.ondemand.agent_admin import STATUSES, WISHES
from worldmail.ondemand.agent_runs import lock_of
from worldmail.ondemand.wishes import Wish


class AgentsTests(AgentsCase):
    def test_locks_of_agents_are_nobody_elses_on_a_database_server_either(self) -> None:
        numbers = {lock_of(f"agent{number}") for number in range(1000)}
        assert len(numbers) == 1000
        assert min(numbers) >= 1 << 30 and max(numbers) < 2147483647

    def test_it_provides_what_it_says(self) -> None:
        verifyObject(IAgents, self.agents)

    def test_it_runs_by_its_timetable_and_what_came_of_it_is_known(self) -> None:
        self.add(when="every 1m")
        self.start()
        assert self.status()["next"] == str(int(MONDAY) + 60)
        assert not self.errand.began
        self.pass_(60)
        assert self.errand.began == ["isp"]
        assert "ended" not in self.status()
        self.errand.end(GOOD)
        self.pass_(2)
        status = self.status()
        assert (status["ok"], status["words"], status["messages"], status["why"]) == ("yes", "fine", "2", "timetable")
        assert status["next"] == str(int(MONDAY) + 120)
        [record] = self.journal.named("agent")
        assert (record["agent"], record["kind"], record["ok"], record["messages"]) == ("isp", "etrn", True, 2)

    def test_a_run_that_takes_long_is_not_doubled_and_what_it_missed_is_made_up_for_once(self) -> None:
        self.add(when="every 1m")
        self.start()
        self.pass_(400)
        assert self.errand.began == ["isp"]
        self.errand.end(GOOD)
        self.pass_(3)
        assert self.errand.began == ["isp", "isp"]
        self.errand.end(GOOD)
        self.pass_(5)
        assert len(self.errand.began) == 2

    def test_after_a_failure_it_tries_again_soon(self) -> None:
        self.add(when="every 1h")
        self.start()
        self.pass_(3600)
        self.errand.end(BAD)
        self.pass_(12)
        assert self.errand.began == ["isp", "isp"]
        self.errand.end(RuntimeError("a fault"))
        self.pass_(3)
        assert self.status()["failures"] == "2"
        assert [str(error) for _, error in self.journal.failures] == ["a fault"]
        self.pass_(25)
        self.errand.end(GOOD)
        self.pass_(3)
        assert "failures" not in self.status()

    def test_changes_are_taken_up_at_once(self) -> None:
        self.start()
        self.add(when="every 1m")
        self.pass_(61)
        self.errand.end(GOOD)
        self.set(enabled="off")
        self.pass_(200)
        assert len(self.errand.began) == 1
        self.set(enabled="on")
        self.pass_(2)
        assert len(self.errand.began) == 1  # what it missed while it was off is not made up for
        self.set(when="every 10s")
        self.pass_(12)
        assert len(self.errand.began) == 2

    def test_one_that_is_removed_while_it_runs_is_ended(self) -> None:
        self.add(when="every 1m")
        self.start()
        self.pass_(60)
        self.successResultOf(Deferred.fromCoroutine(self.admin_.remove_agent("isp")))
        self.pass_(2)
        assert self.errand.cancelled == 1
        assert self.status() == {}
        assert not self.locks.held

    def test_one_that_is_removed_before_it_has_begun_does_nothing(self) -> None:
        self.locks.late = Deferred()
        self.add(when="every 1m")
        self.start()
        self.pass_(60)
        self.successResultOf(Deferred.fromCoroutine(self.admin_.remove_agent("isp")))
        self.pass_(2)
        self.locks.late.callback(Lock(self.locks, 1))
        self.pass_(2)
        assert not self.errand.began and not self.agents.busy("")

    def test_one_that_does_not_come_to_its_end_is_ended_a_second_time(self) -> None:
        self.errand.stubborn = True
        self.clock.nap = Deferred()
        self.add(when="every 1m")
        self.start()
        self.pass_(60)
        self.set(enabled="off")
        self.pass_(2)
        self.set(enabled="off")
        self.pass_(2)
        assert self.errand.cancelled == 1 and self.agents.busy("")
        self.clock.nap.callback(None)
        self.pass_(2)
        assert self.errand.cancelled == 2 and not self.agents.busy("")

    def test_who_is_told_to_stay_begins_at_once(self) -> None:
        self.stay(stay="off")
        self.start()
        assert not self.errand.began
        self.set("relay", stay="1m")
        self.pass_(2)
        assert self.errand.began == ["relay"]

    def test_it_runs_once_at_a_time_in_all_processes(self) -> None:
        self.add()
        self.start()
        other = self.make()
        other.startService()
        self.pass_(2)
        first = Deferred.fromCoroutine(self.agents.run("isp"))
        second = Deferred.fromCoroutine(self.agents.run("isp"))
        elsewhere = Deferred.fromCoroutine(other.run("isp"))
        assert self.successResultOf(elsewhere).words == "another process runs it"
        assert self.errand.began == ["isp"]
        self.errand.end(GOOD)
        assert self.successResultOf(first) == self.successResultOf(second) == GOOD
        again = Deferred.fromCoroutine(other.run("isp"))
        self.errand.end(BAD)
        assert self.successResultOf(again) == BAD
        stopping = other.stopService()
        self.pass_(1)
        self.successResultOf(stopping)

    def test_it_waits_for_its_link_and_runs_when_that_comes_up(self) -> None:
        async def link() -> None:
            await self.database.write(
                lambda cursor: cursor.run("INSERT INTO entry (kind, name, texts) VALUES ('link', 'sat', '{}')")
            )

        self.successResultOf(Deferred.fromCoroutine(link()))
        self.links.up = False
        self.add(when="every 1m", link="sat")
        self.add("other", when="never")
        self.start()
        self.pass_(60)
        assert self.links.wanted == ["sat"] and not self.errand.began
        assert self.status()["skipped"] == "the link sat is not up"
        self.links.up = True
        over = Deferred.fromCoroutine(self.agents.run_over("sat"))
        assert self.errand.began == ["isp"]
        assert self.agents.busy("sat") and not self.agents.busy("")
        self.errand.end(GOOD)
        assert self.successResultOf(over) == [GOOD]
        assert "skipped" not in self.status()

    def test_a_connection_that_stays_open_begins_at_once_and_keeps_no_link_up(self) -> None:
        self.stay()
        self.add("other", link="sat")
        self.start()
        assert self.errand.began == ["relay"]
        assert not self.agents.busy("sat")
        over = Deferred.fromCoroutine(self.agents.run_over("sat"))
        assert self.errand.began == ["relay", "other"]
        assert self.agents.busy("sat")
        self.errand.under_way.pop().callback(GOOD)
        assert self.successResultOf(over) == [GOOD]
        self.set("relay", stay="30s")  # what it goes by has changed: it begins anew
        self.pass_(15)
        assert self.errand.cancelled == 1
        assert self.errand.began == ["relay", "other", "relay"]

    def test_only_who_looks_after_the_links_runs_them(self) -> None:
        self.links.driving = False
        self.add(when="every 1m")
        self.start()
        self.pass_(70)
        assert not self.errand.began
        self.links.driving = True
        self.pass_(70)
        assert self.errand.began == ["isp"]

    def test_a_run_whose_lock_another_has_ends_and_what_is_known_of_it_stays_the_others(self) -> None:
        self.add(when="every 1h")
        self.start()
        self.pass_(3700)
        assert self.errand.began == ["isp"]
        self.locks.held.clear()
        self.links.driving = False
        before = self.status()
        self.pass_(2)
        assert self.errand.cancelled == 1 and not self.agents.busy("")
        assert self.status() == before and "ended" not in before

    def test_a_command_hears_that_the_server_is_gone_that_was_at_it(self) -> None:
        self.add(enabled="off")
        wish = Wish(name="isp", id="1", what="run", at=int(self.clock.now()))

        async def ask() -> None:
            await self.database.write(lambda cursor: WISHES.ask(cursor, wish))
            await self.database.write(lambda cursor: WISHES.take(cursor, self.clock.now(), ()))

        async def look() -> Any:
            return await self.database.read(lambda cursor: WISHES.look(cursor, wish))

        self.successResultOf(Deferred.fromCoroutine(ask()))
        self.start()
        taken, answer = self.successResultOf(Deferred.fromCoroutine(look()))
        assert taken and not answer.ok and "stopped, or hangs" in answer.words
        assert not self.errand.began

    def test_a_command_has_one_run(self) -> None:
        self.add(enabled="off")
        self.start()
        wish = Wish(name="isp", id="1", what="run", at=int(self.clock.now()))

        async def ask() -> None:
            await self.database.write(lambda cursor: WISHES.ask(cursor, wish))

        async def look() -> Any:
            return await self.database.read(lambda cursor: WISHES.look(cursor, wish))

        self.successResultOf(Deferred.fromCoroutine(ask()))
        self.pass_(2)
        assert self.successResultOf(Deferred.fromCoroutine(look())) == (True, None)
        self.errand.end(BAD)
        self.pass_(2)
        taken, answer = self.successResultOf(Deferred.fromCoroutine(look()))
        assert taken and (answer.ok, answer.words) == (False, "no luck")
        assert self.errand.began == ["isp"]

    def test_a_command_does_not_wait_for_the_end_of_a_connection_that_stays(self) -> None:
        self.stay()
        self.start()
        wish = Wish(name="relay", id="1", what="run", at=int(self.clock.now()))

        async def ask() -> None:
            await self.database.write(lambda cursor: WISHES.ask(cursor, wish))

        async def look() -> Any:
            return await self.database.read(lambda cursor: WISHES.look(cursor, wish))

        self.successResultOf(Deferred.fromCoroutine(ask()))
        self.pass_(12)
        _, answer = self.successResultOf(Deferred.fromCoroutine(look()))
        assert answer.ok and "stays open" in answer.words
        assert self.errand.began == ["relay"] and not self.errand.cancelled
        self.errand.end(GOOD)
        self.pass_(2)
        assert self.status("relay")["ok"] == "yes"

    def test_what_runs_is_ended_when_the_server_stops_and_is_tried_again_when_it_starts(self) -> None:
        self.add(when="every 1h")
        self.start()
        self.pass_(3600)
        stopping = self.agents.stopService()
        self.pass_(2)
        self.successResultOf(stopping)
        assert (self.errand.cancelled, self.status()["ok"]) == (1, "no")
        assert self.status()["words"] == "the server stopped while it ran"
        self.agents = self.make()
        self.start()
        self.pass_(12)
        assert len(self.errand.began) == 2

    def test_one_whose_server_died_is_tried_again(self) -> None:
        self.add(when="every 1h")

        async def died() -> None:
            began = str(int(MONDAY))
            await self.database.write(lambda cursor: STATUSES.change(cursor, "isp", {"began": began}))

        self.successResultOf(Deferred.fromCoroutine(died()))
        self.start()
        self.pass_(12)
        assert self.errand.began == ["isp"]

    def test_one_that_cannot_be_read_hinders_no_other(self) -> None:
        self.add(when="every 1m")
        self.add("bad", when="every 1m")

        async def spoil() -> None:
            await self.database.write(
                lambda cursor: cursor.run("UPDATE entry SET texts = '{\"kind\": \"etrn\"}' WHERE name = 'bad'")
            )

        self.successResultOf(Deferred.fromCoroutine(spoil()))
        self.start()
        self.pass_(60)
        assert self.errand.began == ["isp"]
        assert [record["agent"] for record in self.journal.named("agent.unreadable")] == ["bad"]
