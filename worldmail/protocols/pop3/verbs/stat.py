"""STAT: how many messages, how many octets (RFC 1939 §5)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """The drop listing; the database is not asked."""
    maildrop = session.open_maildrop
    return (b"+OK %d %d\r\n" % (maildrop.count, maildrop.octets),)


STAT = Command(word=b"STAT", states=TRANSACTION, parse=grammar.nothing, run=run, rfc="RFC 1939 §5")
