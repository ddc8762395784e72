"""LIST: the size of a message, or of all (RFC 1939 §5)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.listing import listing
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, number: int | None) -> Effects:
    """The scan listing of one message, or one line for each that is not marked as deleted."""
    maildrop = session.open_maildrop
    if number is not None:
        message = await maildrop.message(number)
        return (b"+OK %d %d\r\n" % (number, message.size),)
    listed = await maildrop.listed()
    first = b"+OK %d messages (%d octets)\r\n" % (maildrop.count, maildrop.octets)
    return listing(first, (b"%d %d\r\n" % (number, message.size) for number, message in listed))


LIST = Command(word=b"LIST", states=TRANSACTION, parse=grammar.optional_number, run=run, rfc="RFC 1939 §5")
