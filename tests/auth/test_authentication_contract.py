"""Every way in keeps the contract."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial import unittest

from worldmail.mail.address import Address
from worldmail.testing.accounts import AccountSite
from worldmail.testing.contracts.authentication import LEGACY_SECRET, AuthenticationContract
from worldmail.testing.world import MemoryWorld


class TestRealAuthentication(AuthenticationContract, unittest.TestCase):
    async def furnish(self):
        site = AccountSite.make(reactor)
        self.addCleanup(site.stop)
        await site.admin.add_domain("example.test")
        await site.add("bob@example.test", "secret")
        await site.admin.make_legacy_secret(Address.parse("bob@example.test"), LEGACY_SECRET)
        return site.authentication


class TestMemoryAuthentication(AuthenticationContract, unittest.TestCase):
    legacy_secret = "secret"  # it has one secret for everything

    async def furnish(self):
        world = MemoryWorld.make()
        world.authentication.legacy = True
        world.add_account("bob@example.test", "secret", legacy_auth=True)
        return world.authentication
