"""Where CRAM-MD5 and APOP are offered: only while somebody has a secret for them."""

from __future__ import annotations

import hashlib

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial import unittest

from worldmail.auth.digest_holders import DigestHolders
from worldmail.config.settings import Settings
from worldmail.errors import AuthenticationFailed
from worldmail.mail.address import Address
from worldmail.testing.accounts import CHEAP, AccountSite, context
from worldmail.testing.contracts.authentication import LEGACY_SECRET
from worldmail.testing.world import MemoryJournal

BOB = Address.parse("bob@example.test")


async def furnished(test, settings=None):
    site = AccountSite.make(reactor, settings=settings)
    test.addCleanup(site.stop)
    await site.admin.add_domain("example.test")
    await site.add("bob@example.test", "secret")
    await site.admin.make_legacy_secret(BOB, LEGACY_SECRET)
    return site


class LegacyOfferTests(unittest.TestCase):
    async def setUp(self):
        self.site = await furnished(self)
        self.authentication, self.admin = self.site.authentication, self.site.admin

    async def test_CRAM_MD5_is_announced_in_TLS_where_the_site_says_so(self):
        site = await furnished(self, Settings(auth=evolve(CHEAP, legacy="everywhere")))
        assert site.authentication.mechanisms(context())[-1] == "CRAM-MD5"

    async def test_CRAM_MD5_is_taken_in_TLS_from_clients_that_do_not_look_at_the_list(self):
        assert "CRAM-MD5" not in self.authentication.mechanisms(context())
        assert self.authentication.begin("CRAM-MD5", context()) is not None

    async def test_legacy_logins_are_there_as_long_as_some_account_has_a_secret_for_them(self):
        assert self.authentication.legacy
        await self.admin.set_account(BOB, {"enabled": "off"})
        assert not self.authentication.legacy
        await self.admin.set_account(BOB, {"enabled": "on"})
        assert self.authentication.legacy
        await self.admin.set_account(BOB, {"legacy-auth": "off"})
        assert not self.authentication.legacy
        assert self.authentication.begin("CRAM-MD5", context(secure=False, tls=False)) is None

    async def test_what_the_database_holds_at_the_start_counts(self):
        again = AccountSite.make(reactor, database=self.site.database)
        assert not again.authentication.legacy
        await again.authentication.start()
        assert again.authentication.legacy

    async def test_without_legacy_logins_their_mechanisms_are_gone(self):
        site = await furnished(self, Settings(auth=evolve(CHEAP, legacy="off")))
        assert not site.authentication.legacy
        assert "CRAM-MD5" not in site.authentication.mechanisms(context())
        assert site.authentication.begin("CRAM-MD5", context()) is None
        digest = hashlib.md5(b"<a@b>" + LEGACY_SECRET.encode()).hexdigest().encode()
        answer = Deferred.fromCoroutine(site.authentication.apop("bob", digest, b"<a@b>", context()))
        await self.assertFailure(answer, AuthenticationFailed)


class LateAnswerTests(unittest.TestCase):
    def test_an_answer_that_a_later_look_overtook_does_not_count(self):
        asked = []

        class Database:
            def read(self, unit):
                asked.append(Deferred())
                return asked[-1]

        holders = DigestHolders(database=Database(), journal=MemoryJournal())
        looks = [Deferred.fromCoroutine(holders.look()) for _ in range(2)]
        asked[1].callback(True)
        asked[0].callback(False)
        for look in looks:
            self.successResultOf(look)
        assert holders.any
