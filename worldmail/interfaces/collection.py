"""Mailboxes on other servers, from which mail is fetched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen
from zope.interface import Attribute, Interface

from worldmail.errors import WorldMailError
from worldmail.interfaces.outbound import Hop


@frozen(kw_only=True)
class Listed:
    """One message of a remote mailbox.

    Args:
        number: as the conversation calls it.
        octets: how large it is, as far as the server tells.
        unique: its lasting name there (RFC 1939 §7, UIDL), "" if the server gives none.
    """

    number: int
    octets: int
    unique: str = ""


class RemoteRefused(WorldMailError):
    """The server does not do this one thing; the conversation goes on. Its words are the text."""


class RemoteLost(WorldMailError):
    """The conversation is over; the text says why."""


class IRemoteDrop(Interface):
    """A conversation about one remote mailbox, signed in. Methods may be called while others are under way."""

    server = Attribute("str: the server as the trace names it")

    def messages() -> Awaitable[list[Listed]]:
        """What lies there. Raises `RemoteLost`, `RemoteRefused`."""

    def header(number: int) -> Awaitable[bytes]:
        """The header of one message with its line ends, at most some hundred KiB of it. Raises as `messages`."""

    def retrieve(number: int, most: int, take: Callable[[bytes], Awaitable[None]]) -> Awaitable[None]:
        """Give a message to `take`, piece by piece, lines ended by CRLF.

        What `take` raises is raised in the end, when the rest of the message was read past.
        Raises as `messages`; `RemoteLost` if it is of more than `most` octets.
        """

    def delete(number: int) -> Awaitable[None]:
        """Remove it there; for sure only when `close` is done. Raises as `messages`."""

    def close() -> Awaitable[None]:
        """End the conversation; what was deleted is gone then. Raises `RemoteLost` if that is not known."""

    def abort() -> None:
        """Drop the connection: nothing is deleted."""


class IRemoteDrops(Interface):
    """Opens conversations about remote mailboxes."""

    def connect(hop: Hop) -> Awaitable[IRemoteDrop]:
        """One that is signed in as the hop asks. Raises `interfaces.outbound.HopFailed`."""
