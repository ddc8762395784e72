"""SUBSCRIBE and UNSUBSCRIBE: which mailboxes a client shows (RFC 9051 §6.3.7, §6.3.8)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.notify.watch import caused
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


def parse(reader: Reader) -> str:
    """SP mailbox"""
    reader.space()
    name = reader.mailbox()
    reader.end()
    return name


async def subscribe(session: Session, name: str) -> Effects:
    """The mailbox must be there, and be one that the account may list (RFC 4314 §4)."""
    caused(session, name)
    await session.world.folders.subscribe(session.user, name, True)
    return ()


async def unsubscribe(session: Session, name: str) -> Effects:
    """It need not be there any more."""
    caused(session, name)
    await session.world.folders.subscribe(session.user, name, False)
    return ()


SUBSCRIBE = Command(word=b"SUBSCRIBE", states=SIGNED_IN, parse=parse, run=subscribe, rfc="RFC 9051 §6.3.7")
UNSUBSCRIBE = Command(word=b"UNSUBSCRIBE", states=SIGNED_IN, parse=parse, run=unsubscribe, rfc="RFC 9051 §6.3.8")
