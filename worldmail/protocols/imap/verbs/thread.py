"""THREAD and UID THREAD (RFC 5256 §3; REFS: draft-ietf-morg-inthread-01 §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import starmap

from worldmail.mail.mime.rendered import envelope_fields, read_text
from worldmail.mail.text.forest import Forest
from worldmail.mail.text.subject import base_subject
from worldmail.mail.text.threadables import Threadable, Threadables
from worldmail.mail.text.threads import ordered_subject, references, refs
from worldmail.protocols.imap.afterwards import after_news
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, UidRequired
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.search.evaluate import Looked
from worldmail.protocols.imap.search.request import Request, read_request
from worldmail.protocols.imap.search.results import Returns
from worldmail.protocols.imap.search.running import asks_by_number, search_all, selected_of, unread
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.verbs.sort import AT_ONCE, read_behind_charset, take_all, where_it_belongs

Algorithm = Callable[[Threadables], Forest]

ALGORITHMS: dict[bytes, Algorithm] = {
    b"ORDEREDSUBJECT": ordered_subject,
    b"REFERENCES": references,
    b"REFS": refs,
}


async def run(session: Session, reader: Reader) -> Answer:
    """Message sequence numbers."""
    if "UIDONLY" in session.enabled:
        raise UidRequired("Use UID THREAD")
    return await _thread(session, reader, uids=False)


async def run_uid(session: Session, reader: Reader) -> Answer:
    """UIDs."""
    return await _thread(session, reader, uids=True)


async def _thread(session: Session, reader: Reader, *, uids: bool) -> Answer:
    reader.space()
    algorithm = ALGORITHMS.get(reader.word())
    if algorithm is None:
        raise BadCommand("There is no such thread algorithm")
    request = read_request(read_behind_charset(session, reader), Returns())
    return await after_news(session, _threads(session, request, algorithm, uids=uids))


async def _threads(session: Session, request: Request, algorithm: Algorithm, *, uids: bool) -> Done:
    """The answer, for messages as the client knows them now."""
    highest = enable_condstore(session, selected_of(session)) if request.modseq else ()  # RFC 7162 §3.1
    found = await search_all(session, request.node)
    messages = Threadables()

    def take(batch: Sequence[Looked]) -> None:
        numbers = found.numbers([place for place, _, _ in batch], uids=uids)
        messages.extend(starmap(_threadable, zip(numbers, batch, strict=True)))

    await take_all(session, found, take, summaries=True)
    rendered = await where_it_belongs(session, lambda: algorithm(messages).render(), long=len(found.places) > AT_ONCE)
    line = b"* THREAD" + (b" " + rendered if rendered else b"") + b"\r\n"
    return Done((*highest, line), numbers=asks_by_number(request.node))


def _threadable(number: int, looked: Looked) -> Threadable:
    """What the algorithms look at."""
    _, row, summary = looked
    if summary is None:
        return Threadable(number=number, sent=row.received, arrival=row.received)
    subject = base_subject(read_text(envelope_fields(summary.envelope)[1]))
    return Threadable(
        number=number,
        message_id=None if summary.message_id is None else _octets(summary.message_id),
        references=[_octets(reference) for reference in summary.references],
        subject=subject.text,
        is_reply=subject.is_reply,
        sent=row.received if summary.sent is None else summary.sent,
        arrival=row.received,
    )


def _octets(message_id: str) -> bytes:
    return message_id.encode("utf-8", "surrogateescape")


THREAD = Command(
    word=b"THREAD",
    states=SELECTED,
    parse=unread,
    run=run,
    capability="THREAD=REFERENCES",
    rfc="RFC 5256 §3",
    numbers=True,
)

UID_THREAD = Command(word=b"UID THREAD", states=SELECTED, parse=unread, run=run_uid, rfc="RFC 5256 §3")
