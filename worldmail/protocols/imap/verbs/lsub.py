"""LSUB: what is subscribed to (RFC 3501 §6.3.9)."""

from __future__ import annotations

from attrs import frozen

from worldmail.errors import BadName
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.listing.choose import subscribed_names
from worldmail.protocols.imap.listing.pattern import Patterns
from worldmail.protocols.imap.listing.responses import lsub
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


@frozen
class Subscriptions:
    """The arguments; `pattern` None is one that no name can match."""

    reference: str
    pattern: str | None


def parse(reader: Reader) -> Subscriptions:
    """reference SP list-mailbox"""
    reader.space()
    reference = reader.mailbox()
    reader.space()
    try:
        pattern = reader.list_mailbox()
    except BadName:
        pattern = None
    reader.end()
    return Subscriptions(reference, pattern)


async def run(session: Session, asked: Subscriptions) -> Effects:
    """LSUB responses; names that do not exist any more are among them."""
    if asked.pattern is None:
        return ()
    if not asked.pattern:
        return (b'* LSUB (\\Noselect) "/" ""\r\n',)
    subscribed = await session.world.folders.subscribed(session.user)
    told = subscribed_names(subscribed, Patterns([asked.reference + asked.pattern]), levels="%" in asked.pattern)
    names = sorted(told.items(), key=lambda item: (item[0] != "INBOX", item[0]))
    return (b"".join([lsub(session.wire_name(name), subscribed=itself) for name, itself in names]),)


LSUB = Command(word=b"LSUB", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 3501 §6.3.9")
