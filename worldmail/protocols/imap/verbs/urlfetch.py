"""URLFETCH: what URLs with an authorisation lead to, whatever mailbox is selected (RFC 4467 §7)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from worldmail.errors import NotAUrl, Refusal, UrlNotAuthorised, UrlNotResolved, UrlOfAnother
from worldmail.interfaces.urls import Bearer, UrlOctets
from worldmail.mail.imap_url import ImapUrl
from worldmail.protocols.imap.fetch.large import TornAnswer
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, quoted_or_literal
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects, Stream

MOST_URLS = 100
"""URLs of one command."""

NOTHING = (NotAUrl, UrlNotAuthorised, UrlNotResolved, UrlOfAnother)
"""What is answered with NIL: whoever is not allowed to see something is not told whether it is there."""


def parse(reader: Reader) -> list[bytes]:
    """1*(SP url-full)"""
    urls: list[bytes] = []
    while not urls or not reader.at_end():
        reader.space()
        urls.append(reader.astring())
        if len(urls) > MOST_URLS:
            raise BadCommand("These are too many URLs for one command")
    reader.end()
    return urls


async def run(session: Session, urls: list[bytes]) -> Effects:
    """One response each, made while it is sent."""
    return (Stream(_answers(session, urls)),)


async def _answers(session: Session, urls: list[bytes]) -> AsyncIterator[bytes]:
    for url in urls:
        head = b"* URLFETCH " + quoted_or_literal(url)
        try:
            octets = await _open(session, url)
        except NOTHING:
            yield head + b" NIL\r\n"
            continue
        yield b"%b {%d}\r\n" % (head, octets.size)
        try:
            async for chunk in octets.read():
                yield chunk
        except Refusal as refusal:
            raise TornAnswer(str(refusal)) from refusal
        yield b"\r\n"


async def _open(session: Session, text: bytes) -> UrlOctets:
    try:
        url = ImapUrl.parse(text.decode("ascii"))
    except ValueError:
        raise NotAUrl from None
    if url.authorisation is None:
        raise UrlNotAuthorised
    opened: UrlOctets = await session.world.urls.open(url, Bearer(account=session.user))
    return opened


URLFETCH = Command(word=b"URLFETCH", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 4467 §7")
