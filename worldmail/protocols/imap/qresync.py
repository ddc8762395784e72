"""Quick resynchronisation with SELECT (RFC 7162 §3.2.5).

select-param = "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
known-uids = sequence-set                                                   ; without "*"
seq-match-data = "(" known-sequence-set SP known-uid-set ")"
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from attrs import frozen

from worldmail.mail.numbers import Numbers, count
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.view import untagged
from worldmail.protocols.imap.view.selected import Selected

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


@frozen
class Known:
    """What the client knows.

    Args:
        uids: those that it has; None for all up to the last one there was.
        matched: sequence numbers, and the UIDs that they had.
    """

    uidvalidity: int
    modseq: int
    uids: Numbers | None = None
    matched: tuple[Numbers, Numbers] | None = None


def read(reader: Reader) -> Known:
    """The parameter's value."""
    reader.expect(b"(")
    uidvalidity = reader.nz_number()
    reader.space()
    modseq = reader.number64()
    if not modseq:
        raise BadCommand("A number above 0 is expected")
    uids, matched = None, None
    if reader.take(b" "):
        if reader.peek() != b"(":
            uids = _known(reader)
        if uids is None or reader.take(b" "):
            reader.expect(b"(")
            numbers = _known(reader)
            reader.space()
            matched = (numbers, _known(reader))
            reader.expect(b")")
    reader.expect(b")")
    if matched is not None and not _correspond(*matched):
        raise BadCommand("As many sequence numbers as UIDs are expected")
    return Known(uidvalidity, modseq, uids, matched)


def _known(reader: Reader) -> Numbers:
    numbers = reader.numbers()
    if numbers.saved or numbers.star:
        raise BadCommand("Numbers are expected, which the client knows")
    return numbers


def _correspond(numbers: Numbers, uids: Numbers) -> bool:
    one, other = (sets.clipped(0xFFFFFFFF) for sets in (numbers, uids))
    return count(one) == count(other)


async def resynchronised(session: Session, selected: Selected, known: Known) -> AsyncIterator[bytes]:
    """What a client has to be told that knows this much: what vanished, then what changed (RFC 7162 §3.2.5.1).

    Nothing if UIDVALIDITY is another, or if nothing changed. Which sequence numbers the client's UIDs had would only
    help a server that does not know what was expunged (§3.2.5.2): here that is known, or found from the UIDs.
    """
    view = selected.view
    if known.uidvalidity != selected.folder.uidvalidity or known.modseq >= view.modseq:
        return
    highest = view.uidnext - 1
    uids = [(1, highest)] if known.uids is None else known.uids.clipped(highest)
    if not uids or not highest:
        return
    for told in untagged.earlier(await selected.messages.vanished(selected.id, modseq=known.modseq, uids=uids)):
        yield told
    style = untagged.style_of(session.enabled)
    async for rows in selected.changed_since(known.modseq, uids):
        yield b"".join(await selected.tell_rows(rows, style))
