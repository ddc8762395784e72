"""SELECT and EXAMINE: work with the messages of a mailbox (RFC 9051 §6.3.2, §6.3.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from attrs import define

from worldmail.errors import Refusal
from worldmail.protocols.imap import qresync
from worldmail.protocols.imap.access import existing
from worldmail.protocols.imap.afterwards import refused
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.listing.normalised import Named, listed, read_named
from worldmail.protocols.imap.replies import BadCommand, UidRequired, untagged
from worldmail.protocols.imap.rows import SIGNED_IN, Answer, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import selected_of
from worldmail.protocols.imap.view.opening import open_view, opening_lines
from worldmail.protocols.imap.view.selected import Selected
from worldmail.wire.effects import Effects, Stream

CHANGING = "steiw"
"""Rights of which one at least makes a mailbox more than read-only (RFC 4314 §5.2)."""


@define
class Asked:
    """The arguments."""

    mailbox: Named
    examine: bool
    condstore: bool = False
    qresync: qresync.Known | None = None


def parse(reader: Reader, *, examine: bool) -> Asked:
    """SP mailbox [SP "(" select-param *(SP select-param) ")"]"""
    reader.space()
    asked = Asked(read_named(reader), examine)
    if reader.take(b" ") and not reader.at_end():

        def read() -> None:
            name = reader.word()
            if name == b"CONDSTORE":  # RFC 7162 §3.1.8
                asked.condstore = True
            elif name == b"QRESYNC" and asked.qresync is None:
                reader.space()
                asked.qresync = qresync.read(reader)
            else:
                raise BadCommand("There is no such parameter")

        reader.parenthesised(read)
    reader.end()
    return asked


async def run(session: Session, asked: Asked) -> Answer:
    """Another mailbox is selected, or, if it cannot be, none (RFC 9051 §6.3.2)."""
    if asked.qresync is not None and "QRESYNC" not in session.enabled:
        raise BadCommand("QRESYNC has to be enabled first")  # RFC 7162 §3.2.5
    if asked.qresync is not None and asked.qresync.matched is not None and "UIDONLY" in session.enabled:
        raise UidRequired  # RFC 9586 §3.4
    if session.selected is None:
        return await _select(session, asked)
    await leave(session)
    closed = untagged(b"OK", "The mailbox is not selected any more", b"CLOSED")  # RFC 9051 §7.1, RFC 7162 §3.2.11
    try:
        return await _select(session, asked, closed)
    except Refusal as refusal:
        return refused(closed, refusal)


async def _select(session: Session, asked: Asked, *before: bytes) -> Done:
    if asked.condstore or asked.qresync is not None:
        enable_condstore(session)
    # Nothing is missed between the look at the mailbox and the watch over it: all mailboxes are watched meanwhile.
    touched: set[int] = set()
    cease = session.world.changes.subscribe("mailbox", lambda notice: touched.add(notice.key))
    try:
        folder = await existing(session, asked.mailbox.name, any_of="r", keywords=True)
        read_only = asked.examine or not any(right in folder.rights for right in CHANGING)
        selected = await open_view(session, folder, read_only=read_only)
    finally:
        cease()
    if not touched.isdisjoint((0, folder.id)):
        selected.touch()
    try:
        lines = await opening_lines(session, selected)
        if "IMAP4REV2" in session.enabled:
            lines.append(listed(session, asked.mailbox, folder))  # RFC 9051 §6.3.2
    except BaseException:
        selected.release()
        raise
    session.select(selected)
    code = b"READ-ONLY" if selected.read_only else b"READ-WRITE"
    text = "Examined" if asked.examine else "Selected"
    effects: Effects = (*before, b"".join(lines))
    if asked.qresync is not None:
        effects = (*effects, Stream(_resynchronised(session, selected, asked.qresync)))
    return Done(effects=effects, code=code, text=text)


async def _resynchronised(session: Session, selected: Selected, known: qresync.Known) -> AsyncIterator[bytes]:
    """If that cannot be told, nothing is selected."""
    try:
        async for part in qresync.resynchronised(session, selected, known):
            yield part
    except Refusal:
        session.select(None)
        raise


async def leave(session: Session) -> None:
    """The selected mailbox is selected no more."""
    selected = selected_of(session)
    session.select(None)
    await selected.leave()


SELECT = Command(word=b"SELECT", states=SIGNED_IN, parse=partial(parse, examine=False), run=run, rfc="RFC 9051 §6.3.2")
EXAMINE = Command(word=b"EXAMINE", states=SIGNED_IN, parse=partial(parse, examine=True), run=run, rfc="RFC 9051 §6.3.3")
