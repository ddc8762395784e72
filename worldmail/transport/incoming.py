"""The reading half of a connection: what came and was not acted upon, compressed or not, and when to read no more."""

from __future__ import annotations

from worldmail.interfaces.protocol import IDialogue
from worldmail.transport.deflate import LAST_BLOCK, CorruptDeflate, Deflate
from worldmail.transport.outgoing import Outgoing
from worldmail.wire.effects import Compress, Decompress, Later

INPUT_LIMIT = 64 * 1024
"""Octets that may lie unread in a busy dialogue before the connection is read no more (plus one read of 64 KiB)."""


class Incoming(Outgoing):
    """Input of one connection, on its way to the dialogue."""

    dialogue: IDialogue
    _octets_in = 0
    _unread = False  # input is paused
    _ended = False  # the peer sends no more
    _ending = False  # what comes next may begin with the end of a compressed stream

    def take_in(self, data: bytes) -> None:
        """Keep what came."""
        if self._deflate is not None:
            self._deflate.receive(data)
            return
        if self._ending:
            data = data.lstrip(LAST_BLOCK)
            self._ending = not data
        self.dialogue.receive(data)

    def behind(self) -> int:
        """Octets that came and that nothing has been made of yet."""
        waiting = self.dialogue.buffered()
        return waiting if self._deflate is None else waiting + self._deflate.pending

    def next_event(self) -> object | None:
        """The dialogue's next one. Goes on to read where that is due."""
        if self._unread and self.behind() <= INPUT_LIMIT:
            self.read_again()
        return self.dialogue.next_event()

    def read_no_more(self) -> None:
        """What the peer sends stays in the system."""
        self._unread = True
        self.transport.pauseProducing()

    def read_again(self) -> None:
        """Until this."""
        self._unread = False
        if not self._ended:
            self.transport.resumeProducing()

    def take_up(self, effect: Compress | Decompress | Later) -> None:
        """Carry out what changes something from here on."""
        if isinstance(effect, Compress):
            self.start_deflate()
        elif isinstance(effect, Decompress):
            self.end_deflate()
        elif isinstance(effect, Later):
            self.factory.reactor.callLater(effect.seconds, lambda: None if self._gone else effect.call())
        else:
            raise TypeError(f"no effect: {effect!r}")

    def start_deflate(self) -> None:
        """Both directions are compressed from here on (RFC 4978 §3)."""
        self.flush()
        if self.behind() or self._unread:
            self.abort("input behind COMPRESS")
        else:
            self._deflate = Deflate()

    def end_deflate(self) -> None:
        """Neither direction is compressed any more (RFC 8437 §4.1).

        Our own stream just does not go on: a client that reads it to its end has the last line, and octets of an end
        would be the beginning of the next line to one that does not look for it.
        """
        self.flush()
        deflate, self._deflate = self._deflate, None
        rest = b"" if deflate is None else deflate.end()
        if rest is None or self.dialogue.buffered():
            self.abort("compressed input behind the end of compression")
            return
        self._ending = deflate is not None
        if rest:
            self.take_in(rest)

    def expand(self) -> bool:
        """Give the dialogue the next piece of compressed input; False if there is none."""
        if self._deflate is None:
            return False
        try:
            data = self._deflate.expand()
        except CorruptDeflate as corrupt:
            self.abort(str(corrupt))
            return False
        self.dialogue.receive(data)
        return bool(data)
