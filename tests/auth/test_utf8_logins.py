"""Names and passwords in UTF-8, in any form (RFC 6855 §5, RFC 6856 §3, RFC 4616 §2)."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial import unittest

from worldmail.errors import Refusal
from worldmail.testing.accounts import AccountSite, context

LOGINS = ("jü@example.test", "ju\u0308@example.test", "JÜ@example.test", "jü")
PASSWORDS = ("pässwörd", "pa\u0308sswo\u0308rd")


class Utf8LoginTests(unittest.TestCase):
    async def setUp(self):
        self.site = AccountSite.make(reactor)
        self.addCleanup(self.site.stop)
        await self.site.admin.add_domain("example.test")
        self.account = await self.site.add("jü@example.test", "pässwörd")

    async def plain(self, message):
        return await self.site.authentication.begin("PLAIN", context()).respond(message)

    async def test_they_are_let_in_however_they_are_composed(self):
        for login in LOGINS:
            for password in PASSWORDS:
                done = await self.plain(f"\0{login}\0{password}".encode())
                assert done.account.address == self.account.address, (login, password)
                account = await self.site.authentication.password(login, password, context())
                assert account.address == self.account.address

    async def test_other_passwords_and_octets_are_refused(self):
        for message in ("\0jü@example.test\0passwörd".encode(), b"\0j\xfc@example.test\0x"):
            try:
                await self.plain(message)
            except Refusal:
                continue
            raise AssertionError("it was let in")
