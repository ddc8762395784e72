"""IMAP servers over the real store."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.directory import Account
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.testing.imap import ImapClient, ImapServer
from worldmail.testing.real_store import RealStoreWorld, settle


@define(kw_only=True)
class ImapSite:
    """A server whose store is the real one, with the accounts bob and ann of example.test.

    Attributes:
        store: the world, to add messages and look at what became of them.
    """

    store: RealStoreWorld
    server: ImapServer
    accounts: dict[str, Account] = field(factory=dict)

    @classmethod
    def make(cls, **settings: Any) -> ImapSite:
        store = RealStoreWorld.make()
        site = cls(store=store, server=ImapServer.over(store.world, **settings))
        for name in ("bob", "ann"):
            site.add(name)
        return site

    def add(self, name: str, **changes: Any) -> Account:
        """One more account; its password is "secret"."""
        account = self.store.add_account(f"{name}@example.test", "secret", **changes)
        self.accounts[name] = account
        return account

    def deliver(self, name: str, content: bytes, *, sender: str = "ann@example.test") -> None:
        """As mail that came by SMTP, BODY=BINARYMIME."""
        acceptance = self.store.world.acceptance
        account = self.accounts[name]
        writer = acceptance.writer()
        writer.may_be_binary()
        writer.write(content)
        recipient = Recipient(address=account.address)
        settle(
            acceptance.accept(
                Acceptance(
                    id=acceptance.new_id(),
                    received=int(self.store.world.clock.now()),
                    envelope=Envelope(sender=Address.parse(sender), recipients=(recipient,)),
                    origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1"),
                    content=settle(writer.finish()),
                    deliveries=(Delivery(account_id=account.id, recipient=recipient),),
                    message_id=None,
                )
            )
        )

    def client(self, name: str = "bob") -> ImapClient:
        """Somebody who is signed in."""
        return self.server.connect().login(f"{name}@example.test".encode())


class Blind:
    """A store of which nobody can see what changed, as long as it is said so."""

    def __init__(self, site: ImapSite, monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
        self.fails = fails
        kind = type(site.store.world.messages)
        looks = kind.changes

        def changes(messages: Any, *args: Any, **named: Any) -> Any:
            if self.fails:
                raise TemporaryFailure
            return looks(messages, *args, **named)

        monkeypatch.setattr(kind, "changes", changes)


@pytest.fixture
def site() -> ImapSite:
    """A server with bob and ann."""
    return ImapSite.make()


@pytest.fixture
def bob(site: ImapSite) -> ImapClient:
    """Bob, signed in."""
    return site.client("bob")


@pytest.fixture
def ann(site: ImapSite) -> ImapClient:
    """Ann, signed in."""
    return site.client("ann")
