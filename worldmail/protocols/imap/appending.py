"""Messages on their way into a mailbox: the arguments of APPEND and its kin, and what their octets go through.

    append         = "APPEND" SP mailbox 1*append-message                                ; RFC 3502 §6.3.11
    append-message = [SP flag-list] [SP date-time] SP append-data
    append-data    = literal / literal8 / "UTF8" SP "(" literal8 ")"                     ; RFC 3516 §7, RFC 6855 §4

Lines end in CRLF in the store: a CR or LF alone, as some clients send it, becomes one (RFC 9051 §6.3.12 wants
RFC 5322's form). A literal8 is kept as it came; it is binary if it holds what lines cannot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from worldmail.errors import LimitReached, MessageTooLarge
from worldmail.interfaces.folders import Folder
from worldmail.interfaces.messages import Appending
from worldmail.interfaces.store import IContentWriter, StagedContent
from worldmail.mail.line_ends import LineEnds, with_line_ends
from worldmail.protocols.imap.flag_rights import changeable
from worldmail.protocols.imap.grammar.flags import NO_FLAGS, Flags
from worldmail.protocols.imap.grammar.reader import Reader
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
        sink: what took its octets; None of the one that is announced.
        utf8: it came as UTF8 (RFC 6855 §4).
    """

    flags: Flags = NO_FLAGS
    received: int | None = None
    utf8: bool = False
    sink: Any = None


def read_messages(reader: Reader, *, announced: bool) -> list[Message]:
    """All messages from here on; the last one is the announced one, if that is where the command ends for now."""
    messages: list[Message] = []
    while not messages or not reader.at_end():
        reader.space()
        if messages and reader.at_end() and not announced:
            break
        message = Message()
        if reader.peek() == b"(":
            message.flags = reader.flags()
            reader.space()
        if reader.peek() == b'"':
            message.received = reader.date_time()
            reader.space()
        message.utf8 = any(map(reader.take, (b"UTF8 (", b"utf8 (", b"Utf8 (")))
        messages.append(message)
        if announced and reader.at_end():
            break
        message.sink = reader.literal().sink
        if message.sink is None:
            raise BadCommand("A message is expected")
        if message.utf8:
            reader.expect(b")")
    return messages


@define(eq=False)
class Sink:
    """Takes the octets of one message.

    Args:
        whole: a literal8 that is kept as it comes.
    """

    writer: IContentWriter
    limit: int
    whole: bool = False
    no_nul: bool = True
    _ends: LineEnds = field(factory=LineEnds, init=False)
    _binary: bool = field(default=False, init=False)
    _held: bytes = field(default=b"", init=False)

    def write(self, data: bytes) -> None:
        """Take the next octets."""
        if self.no_nul and b"\0" in data:
            raise BadCommand("NUL in a message")  # RFC 9051 §4.3.1
        if self.whole:
            self._look(data)
        else:
            data = self._ends.feed(data)
        if data:
            self.writer.write(data)
        if self.writer.size > self.limit:
            raise MessageTooLarge

    def behind(self) -> bool:
        """See `IContentWriter`."""
        return bool(self.writer.behind())

    def caught_up(self) -> Awaitable[None]:
        """See `IContentWriter`."""
        waiting: Awaitable[None] = self.writer.caught_up()
        return waiting

    def abort(self) -> None:
        """See `IContentWriter`."""
        self.writer.abort()

    async def finish(self) -> StagedContent:
        """All of it is here."""
        if self.whole:
            self._binary = self._binary or self._held == b"\r"
        elif last := self._ends.finish():
            self.writer.write(last)
        content: StagedContent = await self.writer.finish()
        return evolve(content, binary=True) if self._binary else content

    def _look(self, data: bytes) -> None:
        """Is there anything that lines cannot hold?"""
        if not self._binary:
            text = self._held + data
            self._held = b"\r" if text.endswith(b"\r") else b""
            text = text[: len(text) - len(self._held)]
            self._binary = b"\0" in text or with_line_ends(text) is not text


def sink_for(session: Session, messages: Sequence[Message], ahead: Announced) -> Sink:
    """Something that takes the announced message, the last one of these.

    Raises: what speaks against it, before its octets come (RFC 9051 §6.3.12).
    """
    message = messages[-1]
    if not ahead.size:
        raise No("There is no message without octets")  # RFC 3502 §6.3.11
    if message.utf8 and not (ahead.binary and "UTF8=ACCEPT" in session.enabled):
        raise BadCommand("UTF8 takes a literal8, and has to be enabled first")  # RFC 6855 §4
    limit = session.append_limit
    if ahead.size > limit:
        raise MessageTooLarge
    held = (session.progress or 0) + min(ahead.size, _IN_MEMORY)
    session.progress = held
    within_save_limit(session, len(messages))
    if held > MOST_IN_MEMORY:
        raise LimitReached("These are too many messages for one command")
    session.world.acceptance.check_room(ahead.size)
    binary = ahead.binary and not message.utf8
    return Sink(session.world.acceptance.writer(), limit, whole=binary, no_nul=not binary)


def within_save_limit(session: Session, count: int) -> None:
    """Raises `No` if these are more messages than one command may put into a mailbox (RFC 9738 §3.2)."""
    limit = session.settings.save_limit
    if count > limit:
        raise No("These are too many messages for one command", b"MESSAGELIMIT %d" % limit)


async def staged(session: Session, messages: Sequence[Message], target: Folder) -> list[Appending]:
    """The messages as the store takes them, with those flags that the account may set there (RFC 4314 §4)."""
    allowed, keywords = changeable(target.rights)
    return [
        Appending(
            content=await message.sink.finish(),
            flags=message.flags.system & allowed,
            keywords=message.flags.keywords if keywords else (),
            received=message.received,
            reader=session.user.id,
        )
        for message in messages
    ]
