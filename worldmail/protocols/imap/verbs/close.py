"""CLOSE, UNSELECT and CHECK (RFC 9051 §6.4.1, §6.4.2; RFC 3691; RFC 3501 §6.4.1)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.rows import SELECTED, Command
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import selected_of
from worldmail.protocols.imap.verbs.select import leave
from worldmail.wire.effects import Effects


async def close(session: Session, argument: None) -> Effects:
    """Remove what has \\Deleted, without a word of it, and leave the mailbox (RFC 9051 §6.4.1).

    Where it may not be removed it stays (RFC 4314 §4): nothing is said of that either. HIGHESTMODSEQ is not told: the
    client has not been told of all that it would stand for (RFC 7162 §3.2.8).
    """
    selected = selected_of(session)
    if selected.may("e"):
        await selected.messages.expunge(selected.id, [(1, 0xFFFFFFFF)], deleted_only=True)
    await leave(session)
    return ()


async def unselect(session: Session, argument: None) -> Effects:
    """Leave the mailbox and remove nothing."""
    await leave(session)
    return ()


async def check(session: Session, argument: None) -> Effects:
    """Everything is on disk at any time; otherwise a NOOP (RFC 3501 §6.4.1)."""
    return ()


CLOSE = Command(word=b"CLOSE", states=SELECTED, parse=nothing, run=close, rfc="RFC 9051 §6.4.1")
UNSELECT = Command(
    word=b"UNSELECT",
    states=SELECTED,
    parse=nothing,
    run=unselect,
    capability="UNSELECT",
    rfc="RFC 3691 §2, RFC 9051 §6.4.2",
)
CHECK = Command(word=b"CHECK", states=SELECTED, parse=nothing, run=check, rfc="RFC 3501 §6.4.1")
