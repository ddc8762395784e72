"""AUTHENTICATE: SASL (RFC 9051 §6.2.2), with an initial response (RFC 4959)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from functools import partial

from attrs import field, frozen

from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import Challenge, ISaslExchange
from worldmail.protocols.imap.account_watch import sign_in
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, No
from worldmail.protocols.imap.rows import NOT_AUTHENTICATED, Command, Done, Silence
from worldmail.protocols.imap.session import Session

# sasl-mech = 1*20mech-char (RFC 4422 §3.1)
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")


@frozen
class Request:
    """A mechanism and the initial response (None: there was none)."""

    mechanism: str
    initial: bytes | None = field(repr=False)


def parse(reader: Reader) -> Request:
    """authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]; "=" is an empty response (RFC 4959 §3)."""
    reader.space()
    mechanism = reader.word()
    if not _MECHANISM.fullmatch(mechanism):
        raise BadCommand("A mechanism is expected")
    initial = None
    if not reader.at_end() and reader.take(b" ") and not reader.at_end():
        given = reader.atom()
        initial = b"" if given == b"=" else from_base64(given)
    reader.end()
    return Request(mechanism.decode("ascii"), initial)


def from_base64(text: bytes) -> bytes:
    """Strict base64. The text may be a secret and is never repeated. Raises: `BadCommand`."""
    try:
        if len(text) % 4 == 0:
            return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        pass
    raise BadCommand("Malformed base64")


def capability(session: Session) -> Iterable[str]:
    """The mechanisms that may be used now."""
    if session.account is not None:
        return ()
    return [f"AUTH={name}" for name in session.world.authentication.mechanisms(session.context())]


async def run(session: Session, request: Request) -> Done | Silence:
    """Begin an exchange."""
    exchange = session.world.authentication.begin(request.mechanism, session.context())
    if exchange is None:
        raise No("This mechanism is not offered here", b"CANNOT")
    return await _step(session, exchange, request.initial)


async def respond(session: Session, exchange: ISaslExchange, line: bytes) -> Done | Silence:
    """The client's next line of the exchange; "*" cancels (RFC 9051 §6.2.2)."""
    if line == b"*":
        raise BadCommand("Authentication cancelled")
    return await _step(session, exchange, from_base64(line))


async def _step(session: Session, exchange: ISaslExchange, response: bytes | None) -> Done | Silence:
    try:
        answer = await exchange.respond(response)
    except AuthenticationFailed as failed:
        if failed.reply_code == 501:
            raise BadCommand("The response cannot be understood") from failed
        raise
    if isinstance(answer, Challenge):
        session.expect(partial(respond, session, exchange), session.settings.sasl_line)
        return Silence((b"+ " + binascii.b2a_base64(answer.data, newline=False) + b"\r\n",))
    return await sign_in(session, answer.account)


AUTHENTICATE = Command(
    word=b"AUTHENTICATE",
    states=NOT_AUTHENTICATED,
    parse=parse,
    run=run,
    capability=capability,
    rfc="RFC 9051 §6.2.2",
)
