"""How often may be guessed: over every protocol, every address, every process, and a restart."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.trial import unittest

from worldmail.auth.behind import PAUSE
from worldmail.config.fields import network
from worldmail.config.settings import LimitsSettings, Settings
from worldmail.errors import AuthenticationDelayed, AuthenticationFailed, Refusal, TemporaryFailure
from worldmail.mail.address import Address
from worldmail.testing.accounts import CHEAP, AccountSite, context
from worldmail.testing.world import ManualClock
from worldmail.wire.ready import Ready

BOB = Address.parse("bob@example.test")
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"
MINUTE, DAY = 60, 86_400


class StillClock(ManualClock):
    """A clock that moves by `advance` alone: waiting is over at once and takes no time."""

    def sleep(self, seconds):
        self.slept.append(seconds)
        return Ready(None)


class GuessingCase(unittest.TestCase):
    async def setUp(self):
        self.guesses = 0
        self.site = self.another(clock=StillClock())
        self.clock = self.site.clock
        await self.site.admin.add_domain("example.test")
        for name in ("bob", "eve"):
            await self.site.add(f"{name}@example.test", "secret")

    def another(self, **parts):
        """Another process on the same store."""
        first = getattr(self, "site", None)
        if first is not None:
            parts = {"database": first.database, "clock": first.clock, **parts}
        site = AccountSite.make(reactor, **parts)
        self.addCleanup(site.stop)
        return site

    async def guess(self, client, login="bob", site=None, service="pop3", password=None):
        """What a wrong guess, never made before, is answered with."""
        self.guesses += 1
        password = f"wrong{self.guesses}" if password is None else password
        try:
            await (site or self.site).authentication.password(login, password, context(client, service=service))
        except Refusal as refusal:
            return type(refusal)
        raise AssertionError("it was let in")

    async def lets_in(self, client, login="bob", site=None, service="pop3"):
        try:
            await (site or self.site).authentication.password(login, "secret", context(client, service=service))
        except AuthenticationDelayed:
            return False
        return True

    async def guesses_let_through(self, tries, **guess):
        return [await self.guess(**guess) for _ in range(tries)].count(AuthenticationFailed)

    async def failures(self):
        rows = await self.site.database.read(
            lambda cursor: cursor.all("SELECT scope, key, SUM(failures) FROM login_failure GROUP BY scope, key")
        )
        return {(scope, key): failures for scope, key, failures in rows}


class AddressTests(GuessingCase):
    async def test_one_address_has_ten_guesses_a_minute_over_all_services_and_accounts(self):
        answers = []
        for number in range(15):
            service = ("smtp", "pop3", "imap")[number % 3]
            answers.append(await self.guess(ELSEWHERE, login=f"user{number}", service=service))
        assert answers == [AuthenticationFailed] * 10 + [AuthenticationDelayed] * 5

    async def test_over_the_limit_nothing_is_hashed(self):
        await self.guesses_let_through(10, client=ELSEWHERE)
        self.site.passwords.verified.clear()
        assert await self.guess(ELSEWHERE) is AuthenticationDelayed
        assert not await self.lets_in(ELSEWHERE, login="eve")
        assert self.site.passwords.verified == []

    async def test_a_minute_ends_and_a_day_does_not(self):
        let_through = []
        for _ in range(12):
            let_through.append(await self.guesses_let_through(12, client=ELSEWHERE))
            self.clock.advance(2 * MINUTE)
        assert sum(let_through) == 50 and max(let_through) == 10
        self.clock.advance(DAY)
        assert await self.guess(ELSEWHERE) is AuthenticationFailed

    async def test_a_clock_set_back_leaves_no_lock_behind(self):
        await self.guesses_let_through(12, client=ELSEWHERE)
        self.clock.advance(-60 * MINUTE)
        assert await self.guess(ELSEWHERE) is AuthenticationFailed

    async def test_never_more_than_ten_in_any_minute(self):
        self.clock.time -= self.clock.time % MINUTE  # a minute begins
        self.clock.advance(55)
        let_through = []
        for _ in range(90):
            if await self.guess(ELSEWHERE) is AuthenticationFailed:
                let_through.append(self.clock.time)
            self.clock.advance(2)
        for began in let_through:
            assert sum(began <= each < began + MINUTE for each in let_through) <= 10

    async def test_an_IPv6_host_is_its_64(self):
        let_through = [await self.guess(f"2001:db8:0:1::{number:x}") for number in range(1, 16)]
        assert let_through.count(AuthenticationFailed) == 10
        assert await self.guess("2001:db8:0:2::1") is AuthenticationFailed

    async def test_an_address_in_IPv6_clothes_is_itself(self):
        await self.guesses_let_through(10, client=ELSEWHERE)
        assert await self.guess(f"::ffff:{ELSEWHERE}") is AuthenticationDelayed

    async def test_the_surrounding_network_has_three_times_as_many(self):
        counts = [
            await self.guesses_let_through(10, client=f"198.51.100.{host}", login=f"u{host}") for host in range(1, 6)
        ]
        assert sum(counts) == 30
        assert await self.guess("198.51.101.1", login="u") is AuthenticationFailed

    async def test_unknown_accounts_count_just_the_same(self):
        assert await self.guesses_let_through(12, client=ELSEWHERE, login="nobody") == 10

    async def test_exempt_networks_are_left_alone(self):
        limits = LimitsSettings(exempt=(network("198.51.100.0/24"),))
        site = self.another(settings=Settings(auth=CHEAP, limits=limits))
        self.clock.slept.clear()
        assert await self.guesses_let_through(30, client=ELSEWHERE, site=site) == 30
        assert await self.failures() == {} and self.clock.slept == []

    async def test_digests_and_scram_are_guesses_too(self):
        await self.site.admin.make_legacy_secret(Address.parse("bob@example.test"))

        async def cram():
            exchange = self.site.authentication.begin("CRAM-MD5", context(ELSEWHERE))
            await exchange.respond(None)
            return await exchange.respond(b"bob " + b"0" * 32)

        async def scram():
            exchange = self.site.authentication.begin("SCRAM-SHA-1", context(ELSEWHERE))
            answer = await exchange.respond(b"n,,n=bob,r=abc")
            nonce = answer.data.split(b",")[0]
            return await exchange.respond(b"c=biws," + nonce + b",p=" + b"A" * 27 + b"=")

        async def apop():
            return await self.site.authentication.apop("bob", b"0" * 32, b"<a@b>", context(ELSEWHERE))

        answers = []
        for number in range(12):
            try:
                await (cram, scram, apop)[number % 3]()
            except Refusal as refusal:
                answers.append(type(refusal))
        assert answers == [AuthenticationFailed] * 10 + [AuthenticationDelayed] * 2
        with self.assertRaises(AuthenticationDelayed):
            await scram()

    async def test_asking_for_a_salt_is_no_guess(self):
        for _ in range(30):
            exchange = self.site.authentication.begin("SCRAM-SHA-256", context(ELSEWHERE))
            await exchange.respond(b"n,,n=bob,r=abc")
        assert await self.failures() == {}


class AccountTests(GuessingCase):
    async def from_everywhere(self, tries, login="bob"):
        return [await self.guess(f"203.{number // 250}.{number % 250}.1", login) for number in range(tries)]

    async def test_one_account_has_a_hundred_guesses_a_day_from_all_addresses(self):
        answers = await self.from_everywhere(120)
        assert answers == [AuthenticationFailed] * 100 + [AuthenticationDelayed] * 20
        assert await self.guess(ELSEWHERE, "eve") is AuthenticationFailed

    async def test_the_owner_gets_in_from_where_he_is_known_and_without_delay(self):
        assert await self.lets_in(HOME)
        await self.from_everywhere(110)
        fresh = self.another()  # which remembers no login
        self.clock.slept.clear()
        for client in (HOME, "192.0.2.77"):
            assert await self.lets_in(client, site=fresh)
        assert self.clock.slept in ([], [PAUSE])
        assert not await self.lets_in(ELSEWHERE, site=fresh)

    async def test_the_owner_gets_in_though_his_own_address_guesses_at_others(self):
        assert await self.lets_in(HOME)
        await self.guesses_let_through(15, client=HOME, login="eve")
        assert not await self.lets_in(HOME, login="eve")
        assert await self.lets_in(HOME, site=self.another())

    async def test_where_the_owner_is_known_guessing_is_bounded_all_the_same(self):
        assert await self.lets_in(HOME)
        assert await self.guesses_let_through(15, client=HOME) == 10
        self.clock.advance(2 * MINUTE)
        for _ in range(12):
            await self.guesses_let_through(12, client=HOME)
            self.clock.advance(2 * MINUTE)
        assert await self.guess(HOME) is AuthenticationDelayed

    async def test_known_for_one_account_is_not_known_for_another(self):
        assert await self.lets_in(HOME, login="eve")
        await self.from_everywhere(100)
        assert not await self.lets_in(HOME)

    async def test_a_network_is_known_for_some_months_after_the_last_login(self):
        assert await self.lets_in(HOME)
        self.clock.advance(60 * DAY)
        assert await self.lets_in(HOME)
        self.clock.advance(89 * DAY)
        await self.from_everywhere(100)
        assert await self.lets_in(HOME, site=self.another())
        self.clock.advance(100 * DAY)
        await self.from_everywhere(100)
        assert not await self.lets_in(HOME, site=self.another())

    async def test_a_login_from_a_remembered_place_writes_once_a_day(self):
        await self.lets_in(HOME)
        writes = self.site.database.writes
        for _ in range(10):
            await self.lets_in(HOME)
        assert self.site.database.writes == writes
        self.clock.advance(DAY)
        await self.lets_in(HOME)
        assert self.site.database.writes == writes + 1


class MemoryTests(GuessingCase):
    async def test_the_counters_survive_a_restart_and_hold_for_every_process(self):
        other = self.another()
        for number in range(10):
            assert await self.guess(ELSEWHERE, site=(self.site, other)[number % 2]) is AuthenticationFailed
        await self.site.stop()
        for site in (other, self.another()):
            assert await self.guess(ELSEWHERE, site=site) is AuthenticationDelayed

    async def test_a_right_guess_remembered_from_the_owner_tells_an_address_over_its_limit_nothing(self):
        assert await self.lets_in(HOME)
        await self.guesses_let_through(11, client=ELSEWHERE)
        assert not await self.lets_in(ELSEWHERE)
        assert await self.lets_in(HOME)
        assert self.site.authentication.password("bob", "secret", context(HOME)).__class__ is Ready

    async def test_the_same_wrong_password_again_is_neither_hashed_nor_counted(self):
        for login in ("bob", "nobody"):
            await self.guess(HOME, login, password="old one")
            before = await self.failures()
            self.site.passwords.verified.clear()
            for _ in range(40):
                assert await self.guess(HOME, login, password="old one") is AuthenticationFailed
            assert await self.failures() == before and self.site.passwords.verified == []

    async def test_a_wrong_password_that_became_right_is_let_in(self):
        await self.guess(HOME, password="new one")
        await self.site.admin.set_password(BOB, "new one")
        await self.site.authentication.password("bob", "new one", context(HOME))

    async def test_old_counters_are_forgotten(self):
        await self.guess(ELSEWHERE)
        self.clock.advance(2 * DAY)
        await self.guess("203.0.113.1", "eve")
        assert {key for scope, key in await self.failures() if scope == "client"} == {
            "203.0.113.0/24",
            "203.0.113.1/32",
        }


class DelayTests(GuessingCase):
    async def test_each_failure_waits_longer_up_to_a_bound(self):
        self.site = self.another(settings=Settings(auth=evolve(CHEAP, failure_delay=0.5, failure_delay_maximum=3.0)))
        waited = []
        for _ in range(6):
            self.clock.slept.clear()
            await self.guess(ELSEWHERE)
            waited.append(self.clock.slept[-1])
        assert waited == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]

    async def test_a_right_password_waits_for_nothing(self):
        await self.guesses_let_through(5, client=ELSEWHERE)
        self.clock.slept.clear()
        assert await self.lets_in(ELSEWHERE)
        assert set(self.clock.slept) <= {PAUSE}

    async def test_the_delayed_are_bounded(self):
        throttle = self.site.authentication._entrance._throttle
        throttle._delayed = 2000
        assert await self.guess(ELSEWHERE) is AuthenticationDelayed
        throttle._delayed = 0


class HeldClock:
    """A clock whose `sleep` ends when the test says so."""

    def __init__(self):
        self.clock = Clock()
        self.clock.advance(1_900_000_000)

    def seconds(self):
        return self.clock.seconds()

    now = seconds

    def sleep(self, seconds):
        return deferLater(self.clock, seconds, lambda: None)


class AtOnceTests(GuessingCase):
    async def test_many_guesses_at_once_are_no_way_around_the_limit(self):
        tries = [Deferred.fromCoroutine(self.guess(ELSEWHERE, f"u{number}")) for number in range(40)]
        answers = await gatherResults(tries)
        assert answers.count(AuthenticationFailed) == 10 and answers.count(AuthenticationDelayed) == 30
        assert len(self.site.passwords.verified) == 10

    async def test_many_owners_behind_one_address_all_get_in_at_once(self):
        names = [f"user{number}" for number in range(40)]
        for name in names:
            await self.site.add(f"{name}@example.test", "secret")
        assert (
            await gatherResults([Deferred.fromCoroutine(self.lets_in(ELSEWHERE, name)) for name in names])
            == [True] * 40
        )

    async def test_more_than_can_wait_are_told_to_come_later(self):
        throttle = self.site.authentication._entrance._throttle
        throttle._turns._limit = 5
        tries = [Deferred.fromCoroutine(self.guess(ELSEWHERE, f"u{number}")) for number in range(20)]
        answers = await gatherResults(tries)
        assert answers.count(AuthenticationFailed) == 10

    async def test_nothing_is_left_behind_when_all_is_over(self):
        tries = [Deferred.fromCoroutine(self.guess(ELSEWHERE, f"u{number % 3}")) for number in range(30)]
        tries[3].cancel()
        tries[25].cancel()
        await gatherResults([each.addErrback(lambda failure: failure.trap(CancelledError)) for each in tries])
        throttle = self.site.authentication._entrance._throttle
        assert not throttle._under_way and not throttle._turns._waiting and throttle._turns._waiters == 0
        assert throttle._delayed == 0

    async def test_a_guess_given_up_before_its_answer_counts(self):
        for _ in range(10):
            given_up = Deferred.fromCoroutine(self.guess(ELSEWHERE))
            given_up.cancel()
            await given_up.addErrback(lambda failure: failure.trap(CancelledError))
        assert await self.guess(ELSEWHERE) is AuthenticationDelayed

    async def test_a_flood_of_failures_is_written_in_few_units(self):
        self.site = self.another(clock=HeldClock())
        clock, writes = self.site.clock.clock, self.site.database.writes
        tries = [Deferred.fromCoroutine(self.guess(f"203.0.{number}.1")) for number in range(50)]
        while len(self.site.passwords.verified) < 50 or self.site.passwords._pool.outstanding:
            await deferLater(reactor, 0.01, lambda: None)
        assert self.site.database.writes == writes
        clock.advance(PAUSE)
        assert self.site.database.writes == writes + 1
        clock.advance(1000)
        assert await gatherResults(tries) == [AuthenticationFailed] * 50

    async def test_what_is_not_written_yet_is_written_at_the_end(self):
        site = self.another(clock=HeldClock())
        given_up = Deferred.fromCoroutine(self.guess(ELSEWHERE, site=site))
        while not site.authentication._behind.failures.pending:
            await deferLater(reactor, 0.01, lambda: None)
        assert await self.failures() == {}
        await site.authentication.stop()
        assert len(await self.failures()) == 4
        given_up.cancel()
        await given_up.addErrback(lambda failure: failure.trap(CancelledError))

    async def test_while_the_database_takes_nothing_failures_count_all_the_same(self):
        write, failed = self.site.database.write, []

        def refuse(unit):
            failed.append(unit)
            raise TemporaryFailure

        self.site.database.write = refuse
        site = self.another(clock=HeldClock())
        behind = site.authentication._behind
        minute = int(self.clock.now() // 60)
        behind.failures.record([("client", "x")], minute)
        assert await behind.flush() is False and failed
        behind.failures.record([("client", "x")], minute)
        tally = await self.site.database.read(lambda cursor: behind.failures.tally(cursor, ("client", "x"), minute))
        assert (tally.lately, tally.day) == (2, 2)
        self.site.database.write = write
        assert await behind.flush() is True
        assert await self.failures() == {("client", "x"): 2}
