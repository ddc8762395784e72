"""UIDL: unique-ids that stay for ever (RFC 1939 §7)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.listing import listing
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


def capability(session: Session) -> Iterable[str]:
    """Always announced (RFC 2449 §6.8)."""
    return ("UIDL",)


async def run(session: Session, number: int | None) -> Effects:
    """The unique-id of one message, or of each that is not marked as deleted."""
    maildrop = session.open_maildrop
    if number is not None:
        message = await maildrop.message(number)
        return (b"+OK %d %s\r\n" % (number, maildrop.unique_id(message)),)
    listed = await maildrop.listed()
    lines = (b"%d %s\r\n" % (number, maildrop.unique_id(message)) for number, message in listed)
    return listing(b"+OK\r\n", lines)


UIDL = Command(
    word=b"UIDL",
    states=TRANSACTION,
    parse=grammar.optional_number,
    run=run,
    capability=capability,
    rfc="RFC 1939 §7",
)
