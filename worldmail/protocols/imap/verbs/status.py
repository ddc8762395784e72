"""STATUS: how many messages a mailbox has, and more, without selecting it (RFC 9051 §6.3.11)."""

from __future__ import annotations

from attrs import frozen

from worldmail.protocols.imap import status
from worldmail.protocols.imap.access import existing
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


@frozen
class Asked:
    """The arguments."""

    name: str
    items: status.Items


def parse(reader: Reader) -> Asked:
    """SP mailbox SP "(" status-att *(SP status-att) ")" """
    reader.space()
    name = reader.mailbox()
    reader.space()
    items = status.read_items(reader)
    reader.end()
    return Asked(name, items)


async def run(session: Session, asked: Asked) -> Effects:
    """One response. The selected mailbox is told of as it is, not as the session was told."""
    folder = await existing(session, asked.name, any_of="r")
    facts = await status.facts_for(session, (folder,), asked.items)
    enabled = status.enable_for(session, asked.items)
    return (
        *enabled,
        status.response(session.wire_name(asked.name), folder, asked.items, facts),
    )


STATUS = Command(word=b"STATUS", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 9051 §6.3.11")
