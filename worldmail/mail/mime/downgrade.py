"""Messages made fit for a next hop without BINARYMIME or 8BITMIME (RFC 6152 §3, RFC 3030 §3, RFC 2045 §6).

Two passes: the first finds out what each part needs, and whether it can be done at all; the second writes. Leaf by
leaf, what a hop does not carry is put into quoted-printable or base64; multiparts and message/rfc822 parts, which
may not be encoded themselves (RFC 2045 §6.4), are looked into and say 7bit (or 8bit) then. A message/global is
encoded whole (RFC 6532 §3.7). Memory is bounded whatever the size.

What is signed or encrypted is never touched, nor what says that it is 7bit, quoted-printable or base64 already: if
that holds what the hop does not carry, the message cannot be converted. Text in front of and behind the parts of a
multipart is read by nobody (RFC 2046 §5.1.1): octets there that cannot be sent become question marks.

Header fields are not converted, but that a LF alone becomes a CRLF: 8-bit ones are left as they are, for they are the
matter of SMTPUTF8 (RFC 6531), and so are their lines that are too long.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from attrs import frozen

from worldmail.mail.mime.carriage import EIGHT, SEVEN, CannotConvert, Carriage, Treatment
from worldmail.mail.mime.rewriting import Rewriting
from worldmail.mail.mime.streaming import PIECE
from worldmail.mail.mime.survey import Survey

__all__ = ["EIGHT", "SEVEN", "CannotConvert", "Carriage", "Conversion", "Source", "eight_bit", "seven_bit", "survey"]

Source = Callable[[], AsyncIterator[bytes]]
"""Gives the octets of a message from the first on, in chunks cut anywhere; may be called again."""


@frozen
class Conversion:
    """What is to be done to a message, found in one pass over it."""

    _carriage: Carriage
    _treatments: tuple[Treatment, ...]

    @property
    def encodes(self) -> bool:
        """True if some content is encoded; if not, labels and what stands between parts may change at most."""
        return any(treatment > Treatment.RELABEL for treatment in self._treatments)

    async def apply(self, source: Source) -> AsyncIterator[bytes]:
        """The message as the hop carries it. `source` gives the octets that were surveyed."""
        rewriting = Rewriting(self._carriage, self._treatments)
        async for chunk in source():
            for at in range(0, len(chunk), PIECE):
                written = b"".join(rewriting.feed(chunk[at : at + PIECE]))
                if written:
                    yield written
        written = b"".join(rewriting.finish())
        if written:
            yield written


async def survey(source: Source, carriage: Carriage) -> Conversion:
    """Find out what it takes to send a message to a hop that carries only `SEVEN` or `EIGHT`.

    Raises: CannotConvert.
    """
    looking = Survey(carriage)
    async for chunk in source():
        looking.feed(chunk)
    return Conversion(carriage, looking.finish())


async def seven_bit(source: Source) -> AsyncIterator[bytes]:
    """8bit or binary content as 7bit, in chunks of bounded size.

    Raises: CannotConvert, before the first of them.
    """
    conversion = await survey(source, SEVEN)
    async for chunk in conversion.apply(source):
        yield chunk


async def eight_bit(source: Source) -> AsyncIterator[bytes]:
    """Binary content as 8bit: lines of 998 octets at most, CRLF and no other CR or LF, no NUL.

    Raises: CannotConvert, before the first of them.
    """
    conversion = await survey(source, EIGHT)
    async for chunk in conversion.apply(source):
        yield chunk
