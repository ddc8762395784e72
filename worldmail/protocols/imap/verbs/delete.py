"""DELETE: remove a mailbox (RFC 9051 §6.3.5)."""

from __future__ import annotations

from attrs import evolve

from worldmail.protocols.imap.access import existing
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.listing.normalised import Named, read_named, tell
from worldmail.protocols.imap.notify.watch import caused
from worldmail.protocols.imap.replies import untagged
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects

_KNOW_CLOSED = frozenset(("IMAP4REV2", "QRESYNC"))  # RFC 9051 §7.1, RFC 7162 §3.2.11


def parse(reader: Reader) -> Named:
    """SP mailbox"""
    reader.space()
    mailbox = read_named(reader)
    reader.end()
    return mailbox


async def run(session: Session, mailbox: Named) -> Effects:
    """The mailbox goes, what is below it stays. If the session has it selected, it has none selected then."""
    folder = await existing(session, mailbox.name, any_of="x")
    caused(session, mailbox.name)
    await session.world.folders.delete(session.user, mailbox.name)
    effects = tell(session, mailbox, evolve(folder, exists=False))
    return (*effects, *deselect(session, folder.id))


def deselect(session: Session, mailbox_id: int) -> Effects:
    """If this is the selected mailbox, none is from now on."""
    if session.selected is None or session.selected.id != mailbox_id:
        return ()
    session.select(None)
    if session.enabled.isdisjoint(_KNOW_CLOSED):
        return ()
    return (untagged(b"OK", "The selected mailbox is gone", b"CLOSED"),)


DELETE = Command(word=b"DELETE", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 9051 §6.3.5")
