"""Hashing in threads: bounded, and never right by accident."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial import unittest

from worldmail.auth.passwords import Passwords
from worldmail.config.settings import Settings
from worldmail.errors import AuthenticationDelayed
from worldmail.testing.accounts import CHEAP, AccountSite, context


class PoolTests(unittest.TestCase):
    async def test_what_is_too_much_is_told_to_come_later(self):
        passwords = Passwords(reactor, evolve(CHEAP, hashing_threads=1, hashing_queue=4))
        self.addCleanup(passwords.stop)
        waiting = [passwords.verify(passwords.dummy, "x", preferred=False) for _ in range(3)]
        with self.assertRaises(AuthenticationDelayed):
            passwords.verify(passwords.dummy, "x", preferred=False)
        waiting += [passwords.verify(passwords.dummy, "x", preferred=True) for _ in range(2)]
        with self.assertRaises(AuthenticationDelayed):
            passwords.verify(passwords.dummy, "x", preferred=True)
        waiting[0].addErrback(lambda failure: False).cancel()  # nobody waits for it any more
        assert [await each for each in waiting] == [False] * 5
        assert await passwords.verify(passwords.dummy, "x", preferred=False) is False

    async def test_a_hash_that_is_none_fits_nothing(self):
        passwords = Passwords(reactor, CHEAP)
        self.addCleanup(passwords.stop)
        for kept in ("", "plain", "$argon2id$v=19$m=8,t=1,p=1$odd"):
            assert await passwords.verify(kept, "x", preferred=True) is False
            assert passwords.outdated(kept)
        assert not passwords.outdated(passwords.dummy)


class RehashTests(unittest.TestCase):
    async def test_a_hash_with_other_parameters_is_made_anew_once_the_password_is_known(self):
        site = AccountSite.make(reactor)
        self.addCleanup(site.stop)
        await site.admin.add_domain("example.test")
        await site.add("bob@example.test", "secret")
        stronger = Settings(auth=evolve(CHEAP, argon2_time=2, scram_iterations=5000))
        other = AccountSite.make(reactor, database=site.database, settings=stronger)
        self.addCleanup(other.stop)
        made = []
        make = other.passwords.make
        other.passwords.make = lambda password: made.append(Deferred.fromCoroutine(wrapped(make(password)))) or made[-1]

        async def wrapped(awaitable):
            return await awaitable

        account = await other.authentication.password("bob", "secret", context())
        await made[0]
        ((hashed, generation),) = await other.database.read(
            lambda cursor: cursor.all("SELECT password, generation FROM account")
        )
        assert ",t=2," in hashed and generation == account.generation
        iterations = await other.database.read(lambda cursor: cursor.all("SELECT DISTINCT iterations FROM scram_key"))
        assert iterations == [(5000,)]
        await other.authentication.password("bob", "secret", context(service="smtp"))
        assert len(made) == 1
