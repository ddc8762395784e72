"""The second pass over a message that is converted: each entity as the first one found that it must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import define, field

from worldmail.mail.mime.carriage import Carriage, Treatment
from worldmail.mail.mime.encoders import Base64Encoder, Encoder, QuotedPrintableEncoder
from worldmail.mail.mime.streaming import Entity, EntityStream, Event, Kind, Nature

_ENCODING = re.compile(
    rb"^(Content-Transfer-Encoding[ \t]*:)[^\r\n]*(?:\r\n[ \t][^\r\n]*)*(?:\r\n|\Z)", re.IGNORECASE | re.MULTILINE
)
_TYPE = re.compile(rb"^Content-Type[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n", re.IGNORECASE | re.MULTILINE)
_VERSION = re.compile(rb"^MIME-Version[ \t]*:", re.IGNORECASE | re.MULTILINE)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LEGIBLE = bytes(octet if 0 < octet < 128 else ord("?") for octet in range(256))
_NAMES = {Treatment.QUOTED: b"quoted-printable", Treatment.BASE64: b"base64"}
_UNLABELLED = b"Content-Type: text/plain; charset=unknown-8bit\r\n"  # RFC 1428 §3


@define
class Rewriting:
    """Takes the same message once more, gives it out as the hop carries it."""

    _carriage: Carriage
    _treatments: Sequence[Treatment]
    _stream: EntityStream = field(factory=EntityStream, init=False)
    _encoder: Encoder | None = field(default=None, init=False)
    _frame: bytes = field(default=b"", init=False)  # a CR of which it is not known what follows

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The next octets; what is certain by now."""
        for event in self._stream.feed(chunk):
            yield self._write(event)

    def finish(self) -> Iterator[bytes]:
        """What was held back."""
        for event in self._stream.finish():
            yield self._write(event)
        yield self._left(last=True)
        yield b" " if self._frame else b""

    def _write(self, event: Event) -> bytes:
        kind, entity, octets = event
        if kind is Kind.BODY:
            return octets if self._encoder is None else self._encoder.feed(octets)
        front = self._left(last=False)
        if kind is Kind.FRAME:
            return front + (octets if entity.nature is Nature.SEALED else self._cleaned(octets))
        treatment = self._treatments[entity.number]
        if treatment is Treatment.QUOTED:
            self._encoder = QuotedPrintableEncoder()
        elif treatment is Treatment.BASE64:
            self._encoder = Base64Encoder()
        return front + self._header(entity, octets, treatment)

    def _left(self, *, last: bool) -> bytes:
        """A body has ended."""
        encoder, self._encoder = self._encoder, None
        return b"" if encoder is None else encoder.finish(last=last)

    def _cleaned(self, octets: bytes) -> bytes:
        """What stands between parts, with CRLFs; nobody reads it, so that what cannot be sent becomes a "?"."""
        octets = self._frame + octets
        self._frame = b"\r" if octets.endswith(b"\r") else b""
        octets = _with_line_ends(octets[:-1] if self._frame else octets)
        return octets.replace(b"\0", b"?") if self._carriage.high else octets.translate(_LEGIBLE)

    def _header(self, entity: Entity, header: bytes, treatment: Treatment) -> bytes:
        if entity.nature is not Nature.SEALED:
            header = _with_line_ends(header)
        if treatment is Treatment.KEEP:
            return header
        name = _NAMES.get(treatment, self._carriage.label)
        fields = b""
        if treatment is not Treatment.RELABEL and entity.is_message:
            fields = _missing(header)
        return _labelled(header, name, fields)


def _missing(header: bytes) -> bytes:
    """What makes MIME of a message that is none (RFC 2045 §4)."""
    if _VERSION.search(header):
        return b""
    return b"MIME-Version: 1.0\r\n" + (b"" if _TYPE.search(header) else _UNLABELLED)


def _labelled(header: bytes, name: bytes, fields: bytes) -> bytes:
    """The header with this transfer encoding: in its place, else behind the type, else at the end; `fields` before."""
    found = _ENCODING.search(header)
    if found is not None:
        behind = _ENCODING.sub(b"", header[found.end() :])
        return b"%b%b%b %b\r\n%b" % (header[: found.start()], fields, found[1], name, behind)
    kind = _TYPE.search(header)
    at = kind.end() if kind is not None else len(header) - 2 * header.endswith(b"\r\n")
    return b"%b%bContent-Transfer-Encoding: %b\r\n%b" % (header[:at], fields, name, header[at:])


def _with_line_ends(octets: bytes) -> bytes:
    """A LF alone becomes a CRLF, a CR alone a space."""
    pairs = octets.count(b"\r\n")
    if octets.count(b"\n") == pairs and octets.count(b"\r") == pairs:
        return octets
    return _LINE_END.sub(lambda match: b" " if match[0] == b"\r" else b"\r\n", octets)
