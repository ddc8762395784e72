"""Hashing in threads: bounded, and never right by accident."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.trial import unittest

from worldmail.auth.passwords import Passwords
from worldmail.errors import AuthenticationDelayed
from worldmail.testing.accounts import CHEAP


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
