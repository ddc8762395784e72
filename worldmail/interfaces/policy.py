"""Asking the rules, before something is done."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import frozen
from zope.interface import Attribute, Interface

from worldmail.interfaces.directory import Account, Resolution
from worldmail.mail.address import Address
from worldmail.mail.envelope import Envelope, Recipient
from worldmail.wire.networks import NetworkSet


@frozen(kw_only=True)
class Asker:
    """Who asks: the session, its listener's role ("mx" or "submission"; the protocol's name elsewhere), its account.

    `told_by`: the server whose word `client` and `helo` are (both are "" if it says nothing); "" if the client is who
    is connected. What is only told lets nobody do more, and in another network the address may be anybody's: it is
    `within` no network.
    """

    session: str
    role: str
    client: str
    helo: str
    tls: bool
    account: Account | None
    told_by: str = ""

    def within(self, networks: NetworkSet) -> bool:
        """Is the client, as we see it ourselves, in one of these networks?"""
        return not self.told_by and self.client in networks


@frozen(kw_only=True)
class SenderRequest:
    """May this reverse-path start a transaction? `sender` None is the null reverse-path."""

    asker: Asker
    sender: Address | None
    size: int | None


@frozen(kw_only=True)
class RecipientRequest:
    """May mail from this sender go to this recipient?

    `count` is how many were accepted before, `size` what the client declared of the message (RFC 1870),
    None if nothing.
    """

    asker: Asker
    sender: Address | None
    recipient: Recipient
    resolution: Resolution
    count: int
    size: int | None = None


@frozen(kw_only=True)
class MessageRequest:
    """May this message be kept? `header` is its header block with CRLFs, up to the limit kept for parsing."""

    asker: Asker
    envelope: Envelope
    header: bytes
    size: int


PolicyRequest = SenderRequest | RecipientRequest | MessageRequest


class IPolicyCheck(Interface):
    """One rule. A plugin."""

    name = Attribute("str: its name in the log and in [policy]")
    requests = Attribute("tuple of the request classes it wants to be asked about")

    def check(request: PolicyRequest) -> Awaitable[None] | None:
        """Raise `Refusal` to refuse. Return None if settled at once, else an awaitable."""


class IPolicy(Interface):
    """The chain of all checks, in their order."""

    def ask(request: PolicyRequest) -> Awaitable[None] | None:
        """The first refusal is raised. None if every check was settled at once."""
