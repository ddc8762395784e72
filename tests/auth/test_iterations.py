"""The iteration counts of SCRAM do not tell which names there are, whatever becomes of the setting."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.trial import unittest

from worldmail.auth.iterations import AGAIN, REFRESH
from worldmail.config.settings import Settings
from worldmail.errors import TemporaryFailure
from worldmail.testing.accounts import CHEAP, AccountSite, context

NOBODIES = [f"nobody{number}@example.test" for number in range(200)]
OLD, NEW = 4096, 5000


class IterationTests(unittest.TestCase):
    async def setUp(self):
        first = AccountSite.make(reactor)
        self.addCleanup(first.stop)
        await first.admin.add_domain("example.test")
        for number in range(10):
            await first.add(f"user{number}@example.test")
        changed = Settings(auth=evolve(CHEAP, scram_iterations=NEW))
        self.site = AccountSite.make(reactor, database=first.database, settings=changed)
        self.addCleanup(self.site.stop)
        await self.site.authentication.start()

    async def shown(self, login, mechanism="SCRAM-SHA-256"):
        """Salt and count of the challenge."""
        exchange = self.site.authentication.begin(mechanism, context())
        said = (await exchange.respond(f"n,,n={login},r=a".encode())).data.decode()
        _, salt, count = said.split(",")
        return salt, int(count.removeprefix("i="))

    async def counts(self):
        return [(await self.shown(login))[1] for login in NOBODIES]

    async def renew(self, accounts):
        """So many accounts have keys by the new setting, and the server has looked."""
        await self.site.database.write(
            lambda cursor: cursor.run(
                "UPDATE scram_key SET iterations = ? WHERE account_id IN (SELECT id FROM account ORDER BY id LIMIT ?)",
                (NEW, accounts),
            )
        )
        self.site.clock.advance(REFRESH + 1)
        await self.shown("anybody")  # the look that this causes is not waited for

    async def test_a_new_setting_shows_unknown_names_nothing_new_while_no_account_has_it(self):
        assert {count for _, count in [await self.shown(f"user{number}@example.test") for number in range(10)]} == {OLD}
        assert set(await self.counts()) == {OLD}

    async def test_unknown_names_follow_the_accounts_and_never_turn_back(self):
        before = await self.counts()
        for accounts in (3, 7, 10):
            await self.renew(accounts)
            after = await self.counts()
            assert all(new >= old for old, new in zip(before, after, strict=True))
            assert abs(after.count(NEW) / len(after) - accounts / 10) < 0.15
            before = after
        assert set(before) == {NEW}

    async def test_a_setting_that_is_taken_back_changes_nothing_for_unknown_names_at_once(self):
        await self.renew(5)
        before = await self.counts()
        assert set(before) == {OLD, NEW}
        taken_back = Settings(auth=evolve(CHEAP, scram_iterations=OLD))
        self.site = AccountSite.make(reactor, database=self.site.database, settings=taken_back)
        self.addCleanup(self.site.stop)
        await self.site.authentication.start()
        assert await self.counts() == before

    async def test_a_name_has_one_count_and_a_salt_that_changes_with_it(self):
        await self.renew(5)
        before = {login: await self.shown(login) for login in NOBODIES[:50]}
        assert {count for _, count in before.values()} == {OLD, NEW}
        for login, (salt, count) in before.items():
            assert await self.shown(login) == (salt, count)
            assert (await self.shown(login, "SCRAM-SHA-1"))[1] == count
        await self.renew(10)
        for login, (salt, count) in before.items():
            assert ((await self.shown(login))[0] == salt) is (count == NEW)

    async def test_the_accounts_are_not_counted_at_every_login(self):
        scans = []
        self.patch(self.site.database, "scan", lambda unit: scans.append(unit) or self.site.database.memory.scan(unit))
        await self.counts()
        assert scans == []
        self.site.clock.advance(REFRESH + 1)
        await self.counts()
        assert len(scans) == 1

    async def test_a_database_that_is_away_leaves_what_was_known(self):
        self.site.clock.advance(REFRESH + 1)
        counts = self.site.authentication._counts
        self.site.database.error = TemporaryFailure()
        assert counts.drawn("x") == OLD
        self.site.database.error = None
        assert len(self.site.journal.failures) == 1

    async def test_accounts_that_could_not_be_counted_at_the_start_are_soon_counted(self):
        site = AccountSite.make(reactor, database=self.site.database, settings=self.site.settings)
        self.addCleanup(site.stop)
        self.site.database.error = TemporaryFailure()
        counts = site.authentication._counts
        await counts.look()
        assert counts.drawn("x") == NEW
        self.site.database.error = None
        site.clock.advance(AGAIN + 1)
        counts.drawn("x")  # the look that this causes is not waited for
        assert counts.drawn("x") == OLD

    async def test_keys_are_made_anew_once_the_password_is_seen(self):
        made = []
        make = self.site.passwords.make

        async def noted(password):
            credentials = await make(password)
            made.append(password)
            return credentials

        self.site.passwords.make = noted
        await self.site.authentication.password("user3", "secret", context())
        await self.site.passwords.verify(self.site.passwords.dummy, "x", preferred=True)
        while (await self.shown("user3"))[1] == OLD:
            await self.site.passwords.verify(self.site.passwords.dummy, "x", preferred=True)
        await self.site.authentication.password("user3", "secret", context(service="smtp"))
        assert made == ["secret"]
        assert (await self.shown("user4"))[1] == OLD
