"""COMPRESS: DEFLATE below the protocol, both ways (RFC 4978)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, No, tagged
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done, Silence
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Close, Compress


def parse(reader: Reader) -> bytes:
    """compress = "COMPRESS" SP algorithm."""
    reader.space()
    algorithm = reader.word()
    reader.end()
    return algorithm


def capability(session: Session) -> Iterable[str]:
    """Announced as long as it can be given (RFC 4978 §1)."""
    return () if session.compressed else ("COMPRESS=DEFLATE",)


async def run(session: Session, algorithm: bytes) -> Done | Silence:
    """Start it. What lies behind the command may be compressed or not: that ends the connection."""
    if algorithm != b"DEFLATE":
        raise BadCommand("There is no such compression")
    if session.compressed:
        raise No("Compression is on already", b"COMPRESSIONACTIVE")
    if session.buffered():
        bad = tagged(session.tag, b"BAD", "Nothing may follow COMPRESS")
        return Silence((bad, Close("input behind COMPRESS")))
    session.compressed = True
    return Done(text="DEFLATE active", after=(Compress(),))


COMPRESS = Command(word=b"COMPRESS", states=SIGNED_IN, parse=parse, run=run, capability=capability, rfc="RFC 4978 §3")
