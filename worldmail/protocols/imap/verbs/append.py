"""APPEND: put messages into a mailbox (RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4, RFC 4315, RFC 4469, RFC 6855 §4)."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define

from worldmail.errors import Refusal
from worldmail.interfaces.folders import OTHERS, OWNER_RIGHTS, PUBLIC
from worldmail.interfaces.messages import Appended
from worldmail.mail.numbers import render
from worldmail.protocols.imap.appending import Incoming, Message, MessageReader, read_all, staged
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.message_sink import Sink
from worldmail.protocols.imap.parser import Announced
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.verbs.copy import receiving
from worldmail.protocols.imap.view.selected import Selected


@define
class Asked:
    """The arguments."""

    name: str
    messages: list[Message]


def parse(reader: Reader) -> Asked:
    """SP mailbox 1*append-message"""
    reader.space()
    return Asked(reader.mailbox(), read_all(reader))


async def literal(session: Session, reader: Reader, ahead: Announced) -> Sink | None:
    """A literal is announced: the mailbox's name, or of a message, which is refused now if it cannot be taken."""
    if session.progress is None:
        reader.space()
        if reader.at_end():
            return None
        name = reader.mailbox()
        await receiving(session, name)
        session.progress = Incoming(MessageReader(reader))
    incoming: Incoming = session.progress
    return await incoming.sink(session, ahead)


async def run(session: Session, asked: Asked) -> Done:
    """Append them, all or none."""
    if asked.name.startswith((OTHERS, PUBLIC)):
        target = await receiving(session, asked.name)
        rights = target.rights
        messages = await staged(session, asked.messages, rights)
        appended: Appended = await session.world.messages.append(target.id, messages)
    else:
        rights = OWNER_RIGHTS
        appended = await _into_own(session, asked)
    if isinstance(session.selected, Selected) and session.selected.id == appended.mailbox_id:
        session.selected.touch()
    return Done(code=appenduid(appended, rights))


async def _into_own(session: Session, asked: Asked) -> Appended:
    """Into a mailbox where the account may do everything: whether it is there is seen when the messages are added."""
    try:
        messages = await staged(session, asked.messages, OWNER_RIGHTS)
        appended: Appended = await session.world.messages.append_own(session.user.id, asked.name, messages)
    except Refusal:
        await receiving(session, asked.name)  # what is wrong with the mailbox is told rather than what else is wrong
        raise
    return appended


def appenduid(appended: Appended, rights: str) -> bytes | None:
    """RFC 4315 §3; not told to one who may not read there."""
    if "r" not in rights:
        return None
    return b"APPENDUID %d %b" % (appended.uidvalidity, render(appended.uids))


def capability(session: Session) -> Iterable[str]:
    """APPENDLIMIT is the same for all mailboxes of an account (RFC 7889 §3)."""
    return ("MULTIAPPEND", "CATENATE", "URL-PARTIAL", f"APPENDLIMIT={session.append_limit}")


APPEND = Command(
    word=b"APPEND",
    states=SIGNED_IN,
    parse=parse,
    run=run,
    literal=literal,
    capability=capability,
    rfc="RFC 9051 §6.3.12, RFC 3502 §6.3.11, RFC 4469 §3",
)
