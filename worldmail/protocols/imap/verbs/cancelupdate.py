"""CANCELUPDATE: results of searches are not kept up to date any more (RFC 5267 §4.3.5)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.rows import SELECTED, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


def parse(reader: Reader) -> list[bytes]:
    """command-select =/ "CANCELUPDATE" 1*(SP quoted)."""
    tags: list[bytes] = []
    while not tags or not reader.at_end():
        reader.space()
        tags.append(reader.string())
    return tags


async def run(session: Session, tags: list[bytes]) -> Effects:
    """Forget them; of those that there are not nothing is said."""
    if session.contexts is not None:
        for tag in tags:
            session.contexts.cancel(tag)
    return ()


CANCELUPDATE = Command(
    word=b"CANCELUPDATE",
    states=SELECTED,
    parse=parse,
    run=run,
    capability="CONTEXT=SEARCH",
    rfc="RFC 5267 §4.3.5",
)
