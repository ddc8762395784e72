"""AUTH: SASL (RFC 5034)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from worldmail.interfaces.auth import Challenge, ISaslExchange
from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.login import sign_in
from worldmail.protocols.pop3.replies import CommandRefused, multi_line
from worldmail.protocols.pop3.session import AUTHORIZATION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


def capability(session: Session) -> Iterable[str]:
    """The mechanisms that may be used now (RFC 2449 §6.3)."""
    mechanisms = session.world.authentication.mechanisms(session.context())
    return (" ".join(("SASL", *mechanisms)),) if mechanisms else ()


async def run(session: Session, request: grammar.AuthRequest) -> Effects:
    """Begin an exchange; without a mechanism, list them, as clients from before CAPA expect."""
    authentication, context = session.world.authentication, session.context()
    if request.mechanism is None:
        mechanisms = authentication.mechanisms(context)
        return (multi_line("Mechanisms follow", (name.encode("ascii") for name in mechanisms)),)
    exchange = authentication.begin(request.mechanism, context)
    if exchange is None:
        raise CommandRefused("This mechanism is not offered here")
    return await _step(session, exchange, request.initial)


async def respond(session: Session, exchange: ISaslExchange, line: bytes) -> Effects:
    """The client's next line of the exchange."""
    response = grammar.sasl_response(line)
    if response is None:
        raise CommandRefused("Authentication cancelled")
    return await _step(session, exchange, response)


async def _step(session: Session, exchange: ISaslExchange, response: bytes | None) -> Effects:
    answer = await exchange.respond(response)
    if isinstance(answer, Challenge):
        session.expect(partial(respond, session, exchange))
        return (b"+ " + grammar.to_base64(answer.data) + b"\r\n",)
    return await sign_in(session, answer.account)


AUTH = Command(
    word=b"AUTH",
    states=AUTHORIZATION,
    parse=grammar.auth,
    run=run,
    capability=capability,
    rfc="RFC 5034 §4",
)
