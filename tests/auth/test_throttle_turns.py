"""Those who wait for others: none waits for ever, and none longer than he must."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial import unittest

from worldmail.config.settings import Settings
from worldmail.testing.accounts import CHEAP, AccountSite

HERE, THERE = "192.0.2.1", "198.51.100.1"


class TurnsTests(unittest.TestCase):
    async def setUp(self):
        auth = evolve(CHEAP, failures_per_minute=1, account_failures_per_day=1)
        self.site = AccountSite.make(reactor, settings=Settings(auth=auth))
        self.addCleanup(self.site.stop)
        self.throttle = self.site.authentication._entrance._throttle

    def enter(self, client, account):
        entered = []
        Deferred.fromCoroutine(self.throttle.enter(client, account, 0)).addBoth(entered.append)
        return entered

    async def test_a_turn_that_cannot_be_used_goes_to_the_next(self):
        first = self.enter(HERE, "x")
        busy = self.enter(THERE, "y")
        second, third = self.enter(HERE, "y"), self.enter(HERE, "z")
        assert first and busy and not second and not third
        first[0].succeeded()  # the second could go on, but for those who try the same account
        assert third and not second
        busy[0].forget()
        assert not second
        third[0].forget()
        assert second
        second[0].forget()
        assert not self.throttle._under_way and not self.throttle._turns._waiting

    async def test_a_failure_turns_all_away_who_waited(self):
        first = self.enter(HERE, "x")
        others = [self.enter(HERE, f"a{number}") for number in range(50)]
        first[0].failed()
        assert all(other[0].hopeless and other[0].over for other in others)
        assert not self.throttle._under_way and not self.throttle._turns._waiting

    async def test_only_the_first_end_of_a_try_counts(self):
        (attempt,) = self.enter(HERE, "x")
        attempt.forget()
        attempt.failed()
        attempt.succeeded()
        assert self.enter(HERE, "x")[0].known is False
