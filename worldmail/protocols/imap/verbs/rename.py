"""RENAME: give a mailbox, and all below it, another name (RFC 9051 §6.3.6)."""

from __future__ import annotations

from attrs import frozen

from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.listing.normalised import Named, read_named, tell
from worldmail.protocols.imap.notify.watch import caused
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.verbs.delete import deselect
from worldmail.wire.effects import Effects


@frozen
class Renaming:
    """The arguments."""

    name: str
    to: Named


def parse(reader: Reader) -> Renaming:
    """SP mailbox SP mailbox"""
    reader.space()
    name = reader.mailbox()
    reader.space()
    to = read_named(reader)
    reader.end()
    return Renaming(name, to)


async def run(session: Session, renaming: Renaming) -> Effects:
    """A mailbox that is selected stays so, under its new name.

    But for INBOX: its messages go to a new mailbox, and it is another one itself from then on (RFC 9051 §6.3.6).
    """
    store, user = session.world.folders, session.user
    caused(session, renaming.name, renaming.to.name.removesuffix("/"))
    await store.rename(user, renaming.name, renaming.to.name)
    folder = await store.folder(user, renaming.to.name.removesuffix("/"))
    if folder is None:
        return ()
    told = tell(session, renaming.to, folder)
    return (*told, *deselect(session, folder.id)) if renaming.name == "INBOX" else told


RENAME = Command(word=b"RENAME", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 9051 §6.3.6")
