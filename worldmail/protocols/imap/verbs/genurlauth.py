"""GENURLAUTH: let others see a message, or a part of one, by a URL (RFC 4467 §7)."""

from __future__ import annotations

from worldmail.errors import NotAUrl
from worldmail.mail.imap_url import INTERNAL, ImapUrl
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, quoted_or_literal
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects

MOST_URLS = 100
"""URLs of one command."""


def parse(reader: Reader) -> list[ImapUrl]:
    """1*(SP url-rump SP mechanism)"""
    urls: list[ImapUrl] = []
    while not urls or not reader.at_end():
        reader.space()
        text = reader.text()
        reader.space()
        if reader.word() != INTERNAL.upper().encode():
            raise BadCommand("There is no such mechanism")
        try:
            urls.append(ImapUrl.parse(text))
        except ValueError:
            raise BadCommand("The IMAP URL of a message is expected") from None
        if len(urls) > MOST_URLS:
            raise BadCommand("These are too many URLs for one command")
    reader.end()
    return urls


async def run(session: Session, urls: list[ImapUrl]) -> Effects:
    """Each URL with its proof. What cannot be authorised is BAD, as the RFC has it."""
    signed = []
    for url in urls:
        try:
            signed.append(await session.world.urls.sign(session.user, url))
        except NotAUrl as error:
            raise BadCommand(error.reply_text) from None
    return (b"* GENURLAUTH %b\r\n" % b" ".join(quoted_or_literal(url.encode("ascii")) for url in signed),)


GENURLAUTH = Command(
    word=b"GENURLAUTH",
    states=SIGNED_IN,
    parse=parse,
    run=run,
    capability="URLAUTH",
    rfc="RFC 4467 §7",
)
