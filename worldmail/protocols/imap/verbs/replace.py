"""REPLACE and UID REPLACE: a message in place of another, in one unit (RFC 8508)."""

from __future__ import annotations

from functools import partial

from attrs import define

from worldmail.mail.numbers import Numbers
from worldmail.protocols.imap.appending import Incoming, Message, MessageReader, read_all, staged
from worldmail.protocols.imap.completion import news_of_done
from worldmail.protocols.imap.fetch.answers import Gone
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.message_sink import Sink
from worldmail.protocols.imap.parser import Announced
from worldmail.protocols.imap.replies import BadCommand, untagged
from worldmail.protocols.imap.rows import SELECTED, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import need, selected_of, targets
from worldmail.protocols.imap.verbs.append import appenduid
from worldmail.protocols.imap.verbs.copy import receiving


@define
class Asked:
    """The arguments."""

    number: int
    name: str
    message: Message
    uid: bool


def parse(reader: Reader, *, uid: bool) -> Asked:
    """SP seq-number SP mailbox append-message"""
    reader.space()
    number = reader.nz_number()
    reader.space()
    name = reader.mailbox()
    return Asked(number, name, _only(read_all(reader)), uid)


async def literal(session: Session, reader: Reader, ahead: Announced) -> Sink | None:
    """As for APPEND; what may not be replaced is refused before its successor comes."""
    if session.progress is None:
        reader.space()
        reader.nz_number()
        reader.space()
        if reader.at_end():
            return None
        name = reader.mailbox()
        _may_replace(session)
        await receiving(session, name)
        session.progress = Incoming(MessageReader(reader))
    incoming: Incoming = session.progress
    sink = await incoming.sink(session, ahead)
    _only(incoming.reader.messages)
    return sink


async def run(session: Session, asked: Asked) -> Done:
    """Append and expunge; APPENDUID comes before what is told of the old message (RFC 8508 §3.4)."""
    selected = selected_of(session)
    _may_replace(session)
    slices = await targets(session, Numbers(((asked.number, asked.number),)), uid=asked.uid)
    if not slices:
        raise Gone
    target = await receiving(session, asked.name)
    (message,) = await staged(session, [asked.message], target.rights)
    ((uid, _),) = selected.view.uid_ranges(slices)
    appended = await session.world.messages.replace(selected.id, uid, target.id, message)
    selected.touch()
    code = appenduid(appended, target.rights)
    told = () if code is None else (untagged(b"OK", "Replacement is there", code),)
    effects = (*told, *await news_of_done(session, expunges=True))
    # As of UID EXPUNGE (RFC 8508 §4.5, RFC 7162 §3.2.9).
    return Done(effects, code=selected.highest if "QRESYNC" in session.enabled else None)


def _only(messages: list[Message]) -> Message:
    if len(messages) != 1:
        raise BadCommand("One message takes the place of one")
    return messages[0]


def _may_replace(session: Session) -> None:
    """RFC 8508 §4: what STORE \\Deleted and EXPUNGE take."""
    selected = selected_of(session)
    need(selected, "t")
    need(selected, "e")


REPLACE = Command(
    word=b"REPLACE",
    states=SELECTED,
    parse=partial(parse, uid=False),
    run=run,
    literal=literal,
    capability="REPLACE",
    rfc="RFC 8508 §3.1",
)
UID_REPLACE = Command(
    word=b"UID REPLACE",
    states=SELECTED,
    parse=partial(parse, uid=True),
    run=run,
    literal=literal,
    rfc="RFC 8508 §3.2",
)
