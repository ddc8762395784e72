"""EXPUNGE and UID EXPUNGE: remove what has \\Deleted (RFC 9051 §6.4.3, RFC 4315 §2.1)."""

from __future__ import annotations

from worldmail.mail.numbers import Numbers
from worldmail.protocols.imap.grammar.reader import Reader, nothing
from worldmail.protocols.imap.rows import SELECTED, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import need, selected_of, targets
from worldmail.wire.effects import Effects


def parse_uids(reader: Reader) -> Numbers:
    """SP sequence-set"""
    reader.space()
    numbers = reader.numbers()
    reader.end()
    return numbers


async def run(session: Session, numbers: Numbers | None) -> Effects | Done:
    """Remove them; that they are gone is told with everything else that is new."""
    selected = selected_of(session)
    need(selected, "e")
    # What arrived and was not told yet is removed too, as the client asked for all (RFC 9051 §6.4.3).
    uids = [(1, 0xFFFFFFFF)]
    if numbers is not None:
        uids = selected.view.uid_ranges(await targets(session, numbers, uid=True))
    if uids:
        await selected.messages.expunge(selected.id, uids, deleted_only=True)
        selected.touch()
    told = await session.news(expunges=True)
    if "QRESYNC" in session.enabled and told:  # RFC 7162 §3.2.7
        return Done(effects=tuple(told), code=b"HIGHESTMODSEQ %d" % selected.view.modseq)
    return tuple(told)


EXPUNGE = Command(word=b"EXPUNGE", states=SELECTED, parse=nothing, run=run, rfc="RFC 9051 §6.4.3")
UID_EXPUNGE = Command(
    word=b"UID EXPUNGE",
    states=SELECTED,
    parse=parse_uids,
    run=run,
    capability="UIDPLUS",
    rfc="RFC 4315 §2.1, RFC 9051 §6.4.9",
)
