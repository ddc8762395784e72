"""Nothing tells the name of an account from one that nobody has: bob and eve exist, and bob is known at home."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor

from tests.auth.test_throttle import ELSEWHERE, HOME, MINUTE, GuessingCase, StillClock
from worldmail.auth.behind import PAUSE
from worldmail.config.settings import Settings
from worldmail.errors import AuthenticationDelayed, AuthenticationFailed, Refusal
from worldmail.testing.accounts import CHEAP, AccountSite, context


class NamesAlikeTests(GuessingCase):
    NAMES = ("bob", "eve", "nobody")
    NEIGHBOUR = "192.0.2.77"

    async def setUp(self):
        await super().setUp()
        self.settings = Settings(auth=evolve(CHEAP, failure_delay=0.5, failure_delay_maximum=30.0))
        self.known_at_home = []
        for _ in self.NAMES:  # a site for each name, so that the tries at one say nothing of the next
            site = AccountSite.make(reactor, clock=StillClock(), settings=self.settings)
            self.addCleanup(site.stop)
            await site.admin.add_domain("example.test")
            for name in ("bob", "eve"):
                await site.add(f"{name}@example.test", "secret")
            assert await self.lets_in(HOME, site=site)
            self.known_at_home.append(site)

    async def seen(self, tries):
        """Of each name: what `tries(name, site)` was answered with, and the waits."""
        seen = []
        for name, site in zip(self.NAMES, self.known_at_home, strict=True):
            site.clock.slept.clear()
            answers = await tries(name, site)
            seen.append((answers, [each for each in site.clock.slept if each != PAUSE]))
        return seen

    async def alike(self, tries):
        first, *others = await self.seen(tries)
        assert others == [first] * len(others)
        return first

    async def test_from_where_an_owner_is_known_each_name_waits_by_the_address(self):
        async def tries(name, site):
            for _ in range(3):
                await self.guess(HOME, "other", site)
            site.clock.slept.clear()
            return [await self.guess(HOME, name, site)]

        assert await self.alike(tries) == ([AuthenticationFailed], [4.0])

    async def test_over_the_limit_of_the_address_too(self):
        async def tries(name, site):
            for number in range(10):
                await self.guess(HOME, f"other{number}", site)
            site.clock.slept.clear()
            return [await self.guess(HOME, name, site) for _ in range(15)]

        assert await self.alike(tries) == ([AuthenticationDelayed] * 15, [30.0] * 15)

    async def test_over_the_limit_of_the_account_too(self):
        async def tries(name, site):
            for number in range(100):
                await self.guess(f"203.{number}.7.1", name, site)
            site.clock.slept.clear()
            return [await self.guess(HOME, name, site) for _ in range(3)]

        assert await self.alike(tries) == ([AuthenticationDelayed] * 3, [0.5] * 3)

    async def test_what_was_tried_over_a_limit_tells_nothing_from_the_next_address_either(self):
        async def tries(name, site):
            for number in range(10):
                await self.guess(HOME, f"other{number}", site)
            for _ in range(5):
                await self.guess(HOME, name, site)
                await self.guess(HOME, name, site, password="the same")
            return [await self.guess(self.NEIGHBOUR, name, site) for _ in range(10)]

        answers, _ = await self.alike(tries)
        assert answers == [AuthenticationFailed] * 4 + [AuthenticationDelayed] * 6

    async def test_a_salt_is_shown_for_each_name_over_the_limit_too(self):
        async def tries(name, site):
            await self.guesses_let_through(10, client=HOME, login="other", site=site)
            site.clock.slept.clear()
            answers = []
            for _ in range(2):
                exchange = site.authentication.begin("SCRAM-SHA-256", context(HOME))
                nonce = (await exchange.respond(b"n,,n=%s,r=abc" % name.encode())).data.split(b",")[0]
                try:
                    await exchange.respond(b"c=biws," + nonce + b",p=" + b"A" * 43 + b"=")
                except Refusal as refusal:
                    answers.append(type(refusal))
            return answers

        assert (await self.alike(tries))[0] == [AuthenticationDelayed] * 2

    async def test_over_a_limit_the_time_that_hashing_took_is_part_of_the_wait(self):
        site = self.known_at_home[0]
        await self.guesses_let_through(10, client=HOME, site=site, login="other")
        verify = site.passwords.verify

        def slowly(*args, **kwargs):
            site.clock.advance(2.0)
            return verify(*args, **kwargs)

        self.patch(site.passwords, "verify", slowly)
        site.clock.slept.clear()
        assert await self.guess(HOME, "bob", site) is AuthenticationDelayed
        assert site.clock.slept[-1] == 28.0

    async def test_the_owner_is_let_in_over_the_limit_and_no_other_account(self):
        for site in self.known_at_home:
            await self.guesses_let_through(12, client=HOME, site=site, login="other")
        site = self.known_at_home[0]
        fresh = AccountSite.make(reactor, clock=site.clock, settings=self.settings, database=site.database)
        self.addCleanup(fresh.stop)
        fresh.clock.slept.clear()
        assert await self.lets_in(HOME, site=fresh)
        assert set(fresh.clock.slept) <= {PAUSE}
        assert not await self.lets_in(HOME, "eve", fresh)

    async def test_an_old_password_sent_over_a_limit_again_and_again_does_not_lock_the_owner_out(self):
        site = self.known_at_home[0]
        await self.guesses_let_through(10, client=HOME, site=site, login="other")
        for _ in range(20):
            assert await self.guess(HOME, "bob", site, password="old one") is AuthenticationDelayed
        assert await self.lets_in(HOME, site=site)

    async def test_a_right_password_that_came_over_a_limit_is_right_later(self):
        site = self.known_at_home[0]
        await self.guesses_let_through(10, client=HOME, site=site, login="other")
        assert not await self.lets_in(HOME, "eve", site)
        site.clock.advance(2 * MINUTE)
        assert await self.lets_in(HOME, "eve", site)

    async def test_where_owners_are_known_each_name_waits_in_the_same_queue_for_a_thread(self):
        site, preferred = self.known_at_home[0], []
        verify = site.passwords.verify

        def noted(kept, password, *, preferred):
            noted.preferred.append(preferred)
            return verify(kept, password, preferred=preferred)

        noted.preferred = preferred
        self.patch(site.passwords, "verify", noted)
        for name in self.NAMES:
            await self.guess(HOME, name, site)
        await self.guess(ELSEWHERE, "bob", site)
        assert preferred == [True, True, True, False]
