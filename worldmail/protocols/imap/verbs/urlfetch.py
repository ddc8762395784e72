"""URLFETCH: what URLs with an authorisation lead to, whatever mailbox is selected (RFC 4467 §7, RFC 5524)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from attrs import frozen

from worldmail.errors import NotAUrl, Refusal, UrlNotAuthorised, UrlNotResolved, UrlOfAnother
from worldmail.interfaces.urls import Bearer, UrlForm, UrlOctets
from worldmail.mail.imap_url import ImapUrl
from worldmail.protocols.imap.fetch.body import as_in_rfc_3501
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


PARAMETERS = frozenset((b"BODY", b"BINARY", b"BODYPARTSTRUCTURE"))


@frozen
class Asked:
    """One URL; and what is asked of it, if that was said (RFC 5524 §3.1)."""

    url: bytes
    parameters: tuple[bytes, ...] = ()

    @property
    def form(self) -> UrlForm:
        """How it is to be given."""
        return UrlForm(decoded=b"BINARY" in self.parameters, described=b"BODYPARTSTRUCTURE" in self.parameters)


def parse(reader: Reader) -> list[Asked]:
    """1*(SP (url-full / "(" url-full *(SP url-fetch-param) ")"))"""
    urls: list[Asked] = []
    while not urls or not reader.at_end():
        reader.space()
        urls.append(_extended(reader) if reader.take(b"(") else Asked(reader.astring()))
        if len(urls) > MOST_URLS:
            raise BadCommand("These are too many URLs for one command")
    reader.end()
    return urls


def _extended(reader: Reader) -> Asked:
    url = reader.astring()
    parameters: list[bytes] = []
    while not reader.take(b")"):
        reader.space()
        word = reader.word()
        if word not in PARAMETERS or word in parameters:
            raise BadCommand("There is no such parameter, or it is there twice")
        parameters.append(word)
    if b"BODY" in parameters and b"BINARY" in parameters:
        raise BadCommand("BODY and BINARY cannot be had together")
    return Asked(url, tuple(parameters))


async def run(session: Session, urls: list[Asked]) -> Effects:
    """One response each, made while it is sent."""
    return (Stream(_answers(session, urls)),)


async def _answers(session: Session, urls: list[Asked]) -> AsyncIterator[bytes]:
    for asked in urls:
        head = b"* URLFETCH " + quoted_or_literal(asked.url)
        try:
            octets = await _open(session, asked)
        except NOTHING:
            yield head + b" NIL\r\n"
            continue
        if not asked.parameters:
            async for chunk in _octets(octets, head + b" ", b"\r\n"):
                yield chunk
            continue
        if asked.form.described:
            structure = octets.structure or b"NIL"
            head += b" (BODYPARTSTRUCTURE %b)" % (structure if session.utf8 else as_in_rfc_3501(structure))
        item = next((word for word in asked.parameters if word != b"BODYPARTSTRUCTURE"), None)
        if item is None:
            yield head + b"\r\n"
            continue
        async for chunk in _octets(octets, b"%b (%b " % (head, item), b")\r\n"):
            yield chunk


async def _octets(octets: UrlOctets, before: bytes, behind: bytes) -> AsyncIterator[bytes]:
    """All of them as a literal, or NIL if they cannot be decoded."""
    if not octets.decodable:
        yield before + b"NIL" + behind
        return
    yield b"%b%b{%d}\r\n" % (before, b"~" if octets.binary else b"", octets.size)
    try:
        async for chunk in octets.read():
            yield chunk
    except Refusal as refusal:
        raise TornAnswer(str(refusal)) from refusal
    yield behind


async def _open(session: Session, asked: Asked) -> UrlOctets:
    try:
        url = ImapUrl.parse(asked.url.decode("ascii"))
    except ValueError:
        raise NotAUrl from None
    if url.authorisation is None:
        raise UrlNotAuthorised
    opened: UrlOctets = await session.world.urls.open(url, Bearer(account=session.user), asked.form)
    return opened


URLFETCH = Command(
    word=b"URLFETCH",
    states=SIGNED_IN,
    parse=parse,
    run=run,
    capability="URLAUTH=BINARY",
    rfc="RFC 4467 §7, RFC 5524 §3",
)
