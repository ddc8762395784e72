"""RESETKEY: make void what was authorised by URLs (RFC 4467 §7)."""

from __future__ import annotations

from worldmail.mail.imap_url import INTERNAL
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import No
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.view.untagged import URLMECH


def parse(reader: Reader) -> str | None:
    """[SP mailbox *(SP mechanism)]; None for all mailboxes"""
    if reader.at_end():
        return None
    reader.space()
    name = reader.mailbox()
    while reader.take(b" ") and not reader.at_end():
        if reader.word() != INTERNAL.upper().encode():
            raise No("There is no such mechanism")
    reader.end()
    return name


async def run(session: Session, name: str | None) -> Done:
    """The keys are forgotten; a new one is made when it is needed."""
    await session.world.folders.reset_url_keys(session.user, name)
    if name is None:
        return Done(text="All keys are removed")
    return Done(code=URLMECH, text="There is a new key")


RESETKEY = Command(word=b"RESETKEY", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 4467 §7")
