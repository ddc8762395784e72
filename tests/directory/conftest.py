"""A directory to be changed, and a participant that watches."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial import unittest
from zope.interface import implementer

from worldmail.interfaces.store import IAccountParticipant
from worldmail.mail.address import Address
from worldmail.testing.accounts import AccountSite

address = Address.parse
BOB = address("bob@example.test")


@implementer(IAccountParticipant)
class Ledger:
    """A participant that notes who came and went, and fails if it is told to. Each of `slices` takes one more unit."""

    def __init__(self):
        self.events = []
        self.error = None
        self.slices = 0

    def account_added(self, cursor, account_id):
        assert cursor.one("SELECT 1 FROM account WHERE id = ?", (account_id,)) is not None
        self._note("added", account_id)

    def account_closed(self, cursor, account_id):
        assert cursor.one("SELECT 1 FROM account WHERE id = ?", (account_id,)) is not None
        self._note("closed", account_id)

    def account_removed(self, cursor, account_id):
        assert cursor.one("SELECT 1 FROM account WHERE id = ?", (account_id,)) is not None
        self._note("removed", account_id)
        self.slices -= 1
        return self.slices < 0

    def _note(self, event, account_id):
        self.events.append((event, account_id))
        if self.error is not None:
            raise self.error


class AdminCase(unittest.TestCase):
    """A site with the domain example.test."""

    async def setUp(self):
        self.ledger = Ledger()
        self.site = AccountSite.make(reactor, participants=(self.ledger,))
        self.addCleanup(self.site.passwords.stop)
        self.admin = self.site.admin
        self.notices = []
        for topic in ("domain", "address", "account"):
            self.site.database.memory.changes.subscribe(topic, self.notices.append)
        await self.admin.add_domain("example.test")

    async def refused(self, kind, awaitable):
        try:
            await awaitable
        except kind as error:
            assert str(error)
            return str(error)
        raise AssertionError(f"{kind.__name__} was not raised")

    async def rows(self, sql, *parameters):
        return await self.site.database.read(lambda cursor: cursor.all(sql, parameters))

    def noticed(self):
        found = {(notice.topic, notice.key) for notice in self.notices}
        self.notices.clear()
        return found
