"""How many agents run at the same time."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.ondemand.agent_case import BAD, GOOD, AgentsCase


class AtOnceTests(AgentsCase):
    def add_link(self) -> None:
        async def link() -> None:
            await self.database.write(
                lambda cursor: cursor.run("INSERT INTO entry (kind, name, texts) VALUES ('link', 'sat', '{}')")
            )

        self.successResultOf(Deferred.fromCoroutine(link()))

    def test_of_the_many_agents_of_a_link_some_run_at_a_time_and_each_once(self) -> None:
        self.add_link()
        names = [f"a{number:03d}" for number in range(100)]
        for name in names:
            self.add(name, when="every 1h", link="sat")
        self.start()
        over = Deferred.fromCoroutine(self.agents.run_over("sat"))
        while len(self.errand.began) < 40:
            assert len(self.errand.under_way) == 2
            self.errand.end(GOOD)
            self.clock.advance(0)
        self.pass_(3700)  # by their timetables, too: those that wait have not run yet
        assert len(self.errand.under_way) == 2
        while self.errand.under_way:
            self.errand.end(GOOD)
            self.clock.advance(0)
        assert self.successResultOf(over) == [GOOD] * 100
        assert set(self.errand.began) == set(names)

    def test_when_a_link_goes_down_those_that_wait_for_room_do_not_begin(self) -> None:
        self.add_link()
        for number in range(5):
            self.add(f"a{number}", link="sat")
        self.start()
        over = Deferred.fromCoroutine(self.agents.run_over("sat"))
        self.links.up = False
        self.errand.end(BAD)
        self.errand.end(BAD)
        assert self.successResultOf(over) == [BAD, BAD]
        assert self.errand.began == ["a0", "a1"]
