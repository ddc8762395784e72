"""How many agents run at the same time."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.ondemand.agent_case import BAD, GOOD, AgentsCase
from worldmail.interfaces.ondemand import Result

RELAY = {"kind": "odmr", "host": "192.0.2.1", "user": "a@relay.test", "password": "x", "stay": "1m", "names": ""}


RESUMED = Result(ok=True, words="2 from it", messages=2, resume=True)


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

    def test_those_that_stay_open_are_counted_until_they_stand(self) -> None:
        self.add_link()
        names = [f"a{number}" for number in range(6)]
        for name in names:
            self.add(name, **RELAY, link="sat", when="every 5m")
        self.start()
        over = Deferred.fromCoroutine(self.agents.run_over("sat"))
        assert self.errand.began == names[:2]
        self.pass_(30)
        assert self.errand.began == names[:2], "their timetables have them wait too"
        for begun in range(2, 6):
            self.agents.stands(names[begun - 2])
            self.clock.advance(0)
            assert self.errand.began == names[: begun + 1]
        assert self.successResultOf(over) == [], "nobody waits for their end"
        self.errand.end(BAD)  # the first breaks off: it has to stand anew, which two others are at
        self.pass_(60)
        assert self.errand.began == names
        self.agents.stands(names[4])
        self.pass_(60)
        assert self.errand.began[6:] == names[:1]

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

    def test_a_connection_that_stood_and_breaks_off_is_tried_again_as_after_a_first_failure(self) -> None:
        self.add("a", **RELAY, when="every 1h")
        self.start()
        for _ in range(6):
            self.errand.end(BAD)
            self.pass_(400)
        assert self.status("a")["failures"] == "6"
        self.pass_(3600)
        self.clock.nap = nap = Deferred[None]()
        self.agents.stands("a")
        assert self.status("a")["failures"] == "6", "it may break off at once"
        nap.callback(None)
        assert self.status("a").get("failures") is None
        began = len(self.errand.began)
        self.errand.end(RESUMED)
        assert self.status("a")["failures"] == "1"
        self.pass_(11)
        assert len(self.errand.began) == began + 1

    def test_a_connection_that_breaks_off_at_once_is_tried_less_and_less_often(self) -> None:
        self.add("a", **RELAY, when="every 1h")
        self.start()
        self.clock.nap = Deferred()
        for number in range(3):
            self.agents.stands("a")
            self.errand.end(RESUMED)
            self.clock.nap.callback(None)
            self.clock.nap = Deferred()
            assert self.status("a")["failures"] == str(number + 1)
            self.pass_(300)
