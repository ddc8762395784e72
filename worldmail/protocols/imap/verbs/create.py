"""CREATE: make a mailbox (RFC 9051 §6.3.4), perhaps one for a special use (RFC 6154 §3)."""

from __future__ import annotations

from attrs import frozen

from worldmail.errors import UseNotOffered
from worldmail.interfaces.folders import SPECIAL_USES
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.listing.normalised import Named, read_named, tell
from worldmail.protocols.imap.notify.watch import caused
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.protocols.imap.session import Session

_USES = {use.lower().encode("ascii"): use for use in SPECIAL_USES}


@frozen
class Creation:
    """The arguments."""

    mailbox: Named
    uses: tuple[bytes, ...]


def parse(reader: Reader) -> Creation:
    """SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]"""
    reader.space()
    mailbox = read_named(reader)
    uses: list[bytes] = []
    if not reader.at_end() and reader.take(b" ") and not reader.at_end():
        reader.parenthesised(lambda: uses.extend(_read_use(reader)))
    reader.end()
    return Creation(mailbox, tuple(dict.fromkeys(uses)))


def _read_use(reader: Reader) -> list[bytes]:
    if reader.word() != b"USE":
        raise BadCommand("There is no such parameter of CREATE")
    reader.space()
    return [use.lower() for use in reader.parenthesised(reader.flag)]


async def run(session: Session, creation: Creation) -> Done:
    """The mailbox and the levels above it; its id is told (RFC 8474 §4.1)."""
    if len(creation.uses) > 1:
        raise UseNotOffered("A mailbox can be for one thing only")
    uses = [_USES.get(use) for use in creation.uses]
    if None in uses:
        raise UseNotOffered
    caused(session, creation.mailbox.name.removesuffix("/"))
    folder = await session.world.folders.create(
        session.user, creation.mailbox.name, special_use=uses[0] if uses else None
    )
    return Done(tell(session, creation.mailbox, folder), code=b"MAILBOXID (F%d)" % folder.id)


CREATE = Command(word=b"CREATE", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 9051 §6.3.4")
