"""AUTH: signing in by SASL (RFC 4954)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from worldmail.errors import Refusal
from worldmail.interfaces.auth import ISaslExchange, LoginContext, SignedIn
from worldmail.protocols.smtp.grammar import AuthArguments, parse_auth
from worldmail.protocols.smtp.replies import SIGNED_IN
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects

_PLAINTEXT = frozenset(("PLAIN", "LOGIN"))


async def run(session: Session, arguments: AuthArguments) -> Effects:
    """Begin an exchange."""
    if session.account is not None:
        raise Refusal("Already authenticated", code=503, enhanced="5.5.1")
    if not session.esmtp:
        raise Refusal("Send EHLO first", code=503, enhanced="5.5.1")
    context = login_context(session)
    exchange = session.entrance.world.authentication.begin(arguments.mechanism, context)
    if exchange is None:
        raise _not_offered(arguments.mechanism, context)
    initial = arguments.initial
    # "=" alone is an initial response of no octets (RFC 4954 §4).
    response = None if initial is None else b"" if initial == b"=" else _decoded(initial)
    return await _step(session, exchange, arguments.mechanism, response)


async def _step(session: Session, exchange: ISaslExchange, mechanism: str, response: bytes | None) -> Effects:
    answer = await exchange.respond(response)
    if not isinstance(answer, SignedIn):
        return _challenge(session, exchange, mechanism, answer.data)
    if session.state is not State.CLOSED:
        session.sign_in(answer.account)
    return (SIGNED_IN,)


def _challenge(session: Session, exchange: ISaslExchange, mechanism: str, data: bytes) -> Effects:
    """Send it; the next line is the response, or "*" (RFC 4954 §4)."""

    async def respond(line: bytes) -> Effects:
        if line == b"*":
            raise Refusal("Authentication cancelled", code=501, enhanced="5.7.0")
        return await _step(session, exchange, mechanism, _decoded(line))

    if session.state is not State.CLOSED:
        session.respond = respond
        session.state = State.SASL
    return (b"334 " + base64.b64encode(data) + b"\r\n",)


def _not_offered(mechanism: str, context: LoginContext) -> Refusal:
    if mechanism in _PLAINTEXT and not context.secure:
        return Refusal("Encryption required for this mechanism", code=538, enhanced="5.7.11")
    return Refusal("Mechanism not available", code=504, enhanced="5.5.4")


def login_context(session: Session) -> LoginContext:
    """Where this login comes from."""
    peer = session.peer
    return LoginContext.of("smtp", peer, plaintext=session.entrance.plaintext_allowed(peer.host))


def _decoded(text: bytes) -> bytes:
    """Strict base64 (RFC 4648 §4): canonical, padded, nothing else."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("Malformed base64", code=501, enhanced="5.5.2") from None
    if base64.b64encode(octets) != text:
        raise Refusal("Malformed base64", code=501, enhanced="5.5.2")
    return octets


def _capability(session: Session) -> Iterable[str]:
    if session.account is not None or not session.entrance.listener.offers_auth:
        return ()
    mechanisms = session.entrance.world.authentication.mechanisms(login_context(session))
    return (f"AUTH {' '.join(mechanisms)}",) if mechanisms else ()


AUTH = Command(
    word=b"AUTH",
    states=frozenset((State.NEW, State.READY)),
    parse=parse_auth,
    run=run,
    capability=_capability,
    offered=lambda session: session.entrance.listener.offers_auth,
    rfc="RFC 4954 §4",
)
