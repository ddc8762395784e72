"""What the octets of one message go through on their way into a mailbox.

Lines end in CRLF in the store: a CR or LF alone, as some clients send it, becomes one (RFC 9051 §6.3.12 wants
RFC 5322's form). A literal8 is kept as it came, and so is what a URL leads to: whether that holds what lines cannot is
for the writer to find out.
"""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import define, field

from worldmail.errors import MessageTooLarge
from worldmail.interfaces.store import IContentWriter, StagedContent
from worldmail.mail.line_ends import LineEnds
from worldmail.protocols.imap.replies import BadCommand, No


@define(eq=False)
class Text:
    """Octets of a literal that came at once; `binary` if it was a literal8."""

    octets: bytes
    binary: bool
    utf8: bool


def check_utf8(enabled: frozenset[str], binary: bool) -> None:
    """Raises `BadCommand` unless a literal may come as UTF8 (RFC 6855 §4)."""
    if not (binary and "UTF8=ACCEPT" in enabled):
        raise BadCommand("UTF8 takes a literal8, and has to be enabled first")


class RawHeader(No):
    """RFC 6855 §4, RFC 5530 §3."""

    def __init__(self) -> None:
        super().__init__("The header has 8-bit octets: ENABLE UTF8=ACCEPT comes first", b"CANNOT")


@define(eq=False)
class AsciiHeader:
    """Looks at the header of a message while it comes."""

    _last: bytes = field(default=b"\r\n", init=False)  # octets that came; it may be that there is no header

    def takes(self, data: bytes) -> bool:
        """False once the header is over. Raises `RawHeader`."""
        text = self._last + data
        end = text.find(b"\n\r\n")
        other = text.find(b"\n\n", 0, None if end < 0 else end)
        end = end if other < 0 else other
        if not (text if end < 0 else text[:end]).isascii():
            raise RawHeader
        self._last = text[-2:]
        return end < 0


@define(eq=False)
class Sink:
    """Takes the octets of one message.

    Args:
        limit: the most octets that it may have.
        catenated: it is made of several parts.
        header: refuses one with 8-bit octets; None if they are taken.

    Attributes:
        taken: how many of those are in it.
    """

    writer: IContentWriter
    limit: int
    catenated: bool = False
    header: AsciiHeader | None = None
    taken: int = field(default=0, init=False)
    _whole: bool = field(default=False, init=False)
    _ends: LineEnds = field(factory=LineEnds, init=False)

    @property
    def size(self) -> int:
        """Octets taken so far."""
        size: int = self.writer.size
        return size

    def begin(self, *, whole: bool) -> None:
        """What comes now is kept as it is (`whole`), or made lines. Lines go on from one text to the next."""
        if whole and not self._whole:
            last, self._ends = self._ends.finish(), LineEnds()
            self._put(last)
        self._whole = whole

    def write(self, data: bytes) -> None:
        """Take the next octets of a literal."""
        if self._whole:
            self._put(data)
        elif b"\0" in data:
            raise BadCommand("NUL in a message")  # RFC 9051 §4.3.1
        else:
            self._put(self._ends.feed(data))

    def take(self, text: Text) -> None:
        """Take the whole of a literal."""
        self.begin(whole=text.binary and not text.utf8)
        self.write(text.octets)

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
        self.begin(whole=True)
        content: StagedContent = await self.writer.finish()
        return content

    def _put(self, data: bytes) -> None:
        if not data:
            return
        if self.header is not None and not self.header.takes(data):
            self.header = None
        if self._whole or self.catenated:
            self.writer.may_be_binary()
        self.writer.write(data)
        if self.writer.size > self.limit:
            raise MessageTooLarge
