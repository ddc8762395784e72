"""BURL: a part of the message, or all of it, is what an IMAP URL leads to (RFC 4468).

Instead of a client that fetches a message by IMAP only to send it back by SMTP, we read it where it lies. That works
within this server: for URLs that were authorised by one of its accounts (`;URLAUTH=submit+...`), and for those of the
signed-in account's own messages, which name this server.

Whatever fails, the transaction fails with it (§3.2): a message without one of its parts is nothing that anybody sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from worldmail.errors import MalformedMessage, MessageTooLarge, NotAUrl, Refusal
from worldmail.interfaces.urls import Bearer, UrlOctets
from worldmail.mail.imap_url import ImapUrl
from worldmail.protocols.smtp.grammar import Chunk
from worldmail.protocols.smtp.parser import Text
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.protocols.smtp.transfer import Transfer
from worldmail.protocols.smtp.verbs.bdat import chunk_transfer
from worldmail.protocols.smtp.verbs.data import no_recipients
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects

# burl-cmd = "BURL" SP absolute-URI [SP "LAST"]                              RFC 4468 §3.5
_BURL = re.compile(rb"([!-~]+)( +[Ll][Aa][Ss][Tt])? *")


@frozen
class Asked:
    """The URL, or why it is none; and whether the message ends with it."""

    url: ImapUrl | Refusal
    last: bool


def parse(argument: bytes) -> Asked:
    """SP absolute-URI [SP "LAST"]"""
    match = _BURL.fullmatch(argument)
    if match is None:
        return Asked(Refusal("Syntax: BURL url [LAST]", code=501, enhanced="5.5.4"), last=True)
    try:
        return Asked(ImapUrl.parse(match[1].decode("ascii")), match[2] is not None)
    except ValueError:
        return Asked(NotAUrl(), match[2] is not None)


async def run(session: Session, asked: Asked) -> Effects:
    """Copy what is there into the message."""
    session.state = State.TEXT
    try:
        transfer = await _begun(session, asked)
    except Refusal as refusal:
        transfer = Transfer(None, refusal, Chunk(0, asked.last))
    return await session.end_text(transfer)


async def _begun(session: Session, asked: Asked) -> Transfer:
    """A transfer through which everything went."""
    transaction, account = session.transaction, session.account
    assert transaction is not None
    if not transaction.recipients:
        raise no_recipients()
    if account is None:
        raise Refusal("Authentication required", code=530, enhanced="5.7.0")
    if isinstance(asked.url, Refusal):
        raise asked.url
    octets = await session.entrance.world.urls.open(asked.url, Bearer(account=account, submission=True))
    if session.transaction is not transaction:
        raise Refusal("The connection is gone", code=451, enhanced="4.4.2")
    transfer = chunk_transfer(session, transaction, Chunk(octets.size, asked.last))
    await _copy(octets, transfer, transaction.size_limit)
    return transfer


async def _copy(octets: UrlOctets, transfer: Transfer, limit: int) -> None:
    """All octets, as they are read; what is wrong is kept in the transfer."""
    intake = transfer.intake
    assert intake is not None
    if intake.size + octets.size > limit:
        intake.abort()
        transfer.refusal = MessageTooLarge()
        return
    try:
        async for chunk in octets.read():
            await transfer.take(Text(chunk, False))
            if transfer.refusal is not None or intake.aborted:
                break
    except Refusal as refusal:
        intake.abort()
        transfer.refusal = refusal
    await transfer.take(Text(b"", True))
    if isinstance(transfer.refusal, MalformedMessage):  # RFC 4468 §4
        transfer.refusal = Refusal("Conversion required but not supported", code=554, enhanced="5.6.3")


def capability(session: Session) -> Iterable[str]:
    """Not for relays (RFC 4468 §3.1). Who has signed in may name this server without an authorisation (§3.3)."""
    if not session.entrance.submission:
        return ()
    own = "" if session.account is None else f" imap://{session.entrance.world.hostname}"
    return (f"BURL imap{own}",)


BURL = Command(
    word=b"BURL",
    states=frozenset((State.MAIL, State.CHUNKS)),
    parse=parse,
    run=run,
    capability=capability,
    offered=lambda session: session.entrance.submission,  # RFC 4468 §3.1
    rfc="RFC 4468 §3.2",
)
