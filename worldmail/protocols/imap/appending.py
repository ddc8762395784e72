"""Messages on their way into a mailbox: the arguments of APPEND and its kin, and what they are made of.

    append         = "APPEND" SP mailbox 1*append-message                                ; RFC 3502 §6.3.11
    append-message = [SP flag-list] [SP date-time] SP append-data
    append-data    = literal / literal8 / "UTF8" SP "(" literal8 ")"                     ; RFC 3516 §7, RFC 6855 §4
                   / "CATENATE" SP "(" cat-part *(SP cat-part) ")"                       ; RFC 4469 §5
    cat-part       = "URL" SP astring / "TEXT" SP literal / "UTF8" SP "(" literal8 ")"

The octets of a message are written away while they come, and so is what URLs lead to: as soon as the next literal is
announced, or the command is whole. Of small ones that the parser kept, when the command is whole. Nothing of it is in a
mailbox before all of it is there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import define, field

from worldmail.errors import LimitReached, MessageTooLarge
from worldmail.interfaces.messages import Appending
from worldmail.protocols.imap.catenating import Copying
from worldmail.protocols.imap.flag_rights import changeable
from worldmail.protocols.imap.grammar.flags import NO_FLAGS, Flags
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.message_sink import AsciiHeader, Sink, Text, check_utf8
from worldmail.protocols.imap.parser import Announced
from worldmail.protocols.imap.replies import BadCommand, No

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

MOST_IN_MEMORY = 64 * 1024 * 1024
"""Octets of one command's messages that may be held in memory; of a large one they are no more than the following."""

_IN_MEMORY = 256 * 1024


@define
class Message:
    """One message of the command.

    Args:
        sink: what took its octets; None if none of them came yet.
        utf8: what came last came as UTF8 (RFC 6855 §4).
        kept: its octets, if the parser kept them.
        parts: of one that is catenated (RFC 4469): a URL as it was written, a text that the parser kept, or None for
            a text that is in the sink.
    """

    flags: Flags = NO_FLAGS
    received: int | None = None
    utf8: bool = False
    sink: Sink | None = None
    kept: Text | None = None
    parts: list[bytes | Text | None] | None = None


class MessageReader:
    """Reads messages to the end of the command, or up to a literal that has not come, and on from there.

    Nothing is read twice, however many literals a command has: a reader sees what comes behind what it has read.
    """

    __slots__ = ("_announced", "_reader", "_steps", "messages")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._announced = False
        self._steps = self._read()
        self.messages: list[Message] = []

    def whole(self) -> list[Message]:
        """All of them, of a whole command."""
        for _ in self._steps:
            raise BadCommand("A literal is expected")
        return self.messages

    def announced(self) -> Message | None:
        """Whose octets the literal has that is announced; None if it is no message but a URL."""
        self._announced = True
        return next(self._steps)

    def _read(self) -> Iterator[Message | None]:
        """Stops wherever the command ends, for now, where a literal is expected."""
        reader = self._reader
        while True:
            reader.space()
            if self.messages and reader.at_end() and not self._announced:
                return
            message = Message()
            if reader.peek() == b"(":
                message.flags = reader.flags()
                reader.space()
            if reader.peek() == b'"':
                message.received = reader.date_time()
                reader.space()
            self.messages.append(message)
            if reader.take_word(b"CATENATE"):
                yield from self._parts(message)
            else:
                message.utf8 = reader.take_word(b"UTF8")
                message.kept = yield from self._text(message)
            if reader.at_end() and not self._announced:
                return

    def _parts(self, message: Message) -> Iterator[Message | None]:
        reader, message.parts = self._reader, []
        reader.space()
        reader.expect(b"(")
        while True:
            word = reader.word()
            message.utf8 = word == b"UTF8"
            if word == b"URL":
                reader.space()
                if reader.at_end():
                    yield None
                message.parts.append(reader.astring())
            elif word in (b"TEXT", b"UTF8"):
                if word == b"TEXT":
                    reader.space()
                message.parts.append((yield from self._text(message)))
            else:
                raise BadCommand("URL or TEXT is expected")
            if reader.take(b")"):
                return
            reader.space()

    def _text(self, message: Message) -> Generator[Message | None, None, Text | None]:
        """What was kept."""
        reader = self._reader
        if message.utf8:
            reader.expect(b" (")
        if reader.at_end():
            yield message
        literal = reader.literal()
        if message.utf8:
            reader.expect(b")")
        if literal.sink is None:
            return Text(literal.octets, literal.binary, message.utf8)
        message.sink = literal.sink
        return None


@define(eq=False)
class Incoming:
    """The messages of a command that is not whole yet.

    Attributes:
        held: octets of them that may be in memory, as they are counted against the bound.
    """

    reader: MessageReader
    copying: Copying = field(factory=Copying)
    held: int = 0

    async def sink(self, session: Session, ahead: Announced) -> Sink | None:
        """Something that takes the announced literal; None if it is no part of a message.

        Raises: what speaks against it, before its octets come (RFC 9051 §6.3.12).
        """
        message = self.reader.announced()
        if message is None:
            return None
        if message.utf8:
            check_utf8(session.enabled, ahead.binary)
        if message.parts is None and not ahead.size:
            raise NoOctets
        if ahead.size > session.append_limit:
            raise MessageTooLarge
        within_save_limit(session, len(self.reader.messages))
        sink = message.sink
        if sink is None:
            sink = new_sink(session, catenated=message.parts is not None)
        if message.parts is not None:
            await self.copying.put(session, sink, message.parts)
            self.copying.count()
            sink.taken += 1
            if sink.size + ahead.size > sink.limit:
                raise MessageTooLarge
        self.held += min(ahead.size, _IN_MEMORY)
        if self.held > MOST_IN_MEMORY:
            raise LimitReached("These are too many messages for one command")
        session.world.acceptance.check_room(ahead.size)
        sink.begin(whole=ahead.binary and not message.utf8)
        return sink


def new_sink(session: Session, *, catenated: bool) -> Sink:
    """For one more message; it is given up with the command."""
    header = None if session.utf8 or session.settings.append_8bit_headers else AsciiHeader()
    sink = Sink(session.world.acceptance.writer(), session.append_limit, catenated=catenated, header=header)
    session.sinks = session.sinks or []
    session.sinks.append(sink)
    return sink


class NoOctets(No):
    """RFC 3502 §6.3.11."""

    text = "There is no message without octets"


def within_save_limit(session: Session, count: int) -> None:
    """Raises `No` if these are more messages than one command may put into a mailbox (RFC 9738 §3.1)."""
    limit = session.settings.save_limit
    if count > limit:
        raise No("These are too many messages for one command", b"MESSAGELIMIT %d" % limit)


async def staged(session: Session, messages: Sequence[Message], rights: str) -> list[Appending]:
    """The messages as the store takes them, with those flags that the account may set with its rights (RFC 4314 §4)."""
    within_save_limit(session, len(messages))
    incoming: Incoming | None = session.progress
    copying = Copying() if incoming is None else incoming.copying
    sinks = [await _complete(session, message, copying) for message in messages]
    allowed, keywords = changeable(rights)
    return [
        Appending(
            content=await sink.finish(),
            flags=message.flags.system & allowed,
            keywords=message.flags.keywords if keywords else (),
            received=message.received,
            reader=session.user.id,
        )
        for message, sink in zip(messages, sinks, strict=True)
    ]


async def _complete(session: Session, message: Message, copying: Copying) -> Sink:
    """With what URLs still have to bring: nothing is finished before nothing can be wrong with any message."""
    sink, kept = message.sink, message.kept
    if kept is not None:
        return _kept(session, kept)
    if message.parts is not None:
        sink = sink or new_sink(session, catenated=True)
        await copying.put(session, sink, message.parts)
        if not sink.size:
            raise NoOctets
    assert sink is not None
    return sink


def _kept(session: Session, text: Text) -> Sink:
    """A message that the parser kept whole; whether there is room for it is asked with the others of the command."""
    if text.utf8:
        check_utf8(session.enabled, text.binary)
    if not text.octets:
        raise NoOctets
    if len(text.octets) > session.append_limit:
        raise MessageTooLarge
    sink = new_sink(session, catenated=False)
    sink.take(text)
    return sink


def read_all(reader: Reader) -> list[Message]:
    """The messages of a whole command, to its end."""
    messages = MessageReader(reader).whole()
    reader.end()
    return messages
