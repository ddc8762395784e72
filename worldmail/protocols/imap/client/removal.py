"""Removing from a mailbox what was fetched, and nothing that somebody else marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from attrs import define

from worldmail.interfaces.collection import RemoteRefused
from worldmail.protocols.imap.client.responses import Response, uid_set

AT_ONCE = 500
"""Messages that one command marks."""

Each = Callable[[Response], None]
Ask = Callable[[bytes, Each | None], Awaitable[Any]]
"""Says a command, gives its untagged responses away, and is done with it. Raises `RemoteRefused`, `RemoteLost`."""


@define
class Mailbox:
    """What EXAMINE and SELECT tell."""

    uidvalidity: str | None = None
    exists: int = 0

    def take(self, response: Response) -> None:
        """One of their responses."""
        self.uidvalidity = response.uidvalidity or self.uidvalidity
        self.exists = self.exists if response.exists is None else response.exists


async def remove(ask: Ask, name: bytes, before: Mailbox, uids: list[int], capabilities: Collection[str]) -> None:
    """Mark and expunge these (RFC 9051 §6.4.9).

    A server without UID EXPUNGE can only expunge all that is marked: if others are, ours stay marked too.
    """
    now = Mailbox()
    await ask(b"SELECT " + name, now.take)
    if now.uidvalidity != before.uidvalidity:
        raise RemoteRefused("the mailbox is another one now (UIDVALIDITY)")
    sets = [uid_set(uids[at : at + AT_ONCE]) for at in range(0, len(uids), AT_ONCE)]
    for some in sets:
        await ask(b"UID STORE " + some + b" +FLAGS.SILENT (\\Deleted)", None)
    if {"UIDPLUS", "IMAP4REV2"}.intersection(capabilities):
        for some in sets:
            await ask(b"UID EXPUNGE " + some, None)
        return
    marked: set[int] | None = None

    def take(response: Response) -> None:
        nonlocal marked
        if response.found is not None:
            marked = (marked or set()).union(response.found)

    await ask(b"UID SEARCH DELETED", take)
    if marked is None:
        raise RemoteRefused("it can only expunge all marked messages, and does not tell which are: ours are marked")
    if not marked <= set(uids):
        raise RemoteRefused("it can only expunge all marked messages, and others are marked too: ours are as well")
    await ask(b"EXPUNGE", None)
