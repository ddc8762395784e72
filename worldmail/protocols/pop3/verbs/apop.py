"""APOP: a digest over the greeting's stamp and a secret (RFC 1939 §7). Announced by the stamp alone (RFC 2449 §6)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.login import sign_in
from worldmail.protocols.pop3.replies import CommandRefused
from worldmail.protocols.pop3.session import AUTHORIZATION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, request: grammar.ApopRequest) -> Effects:
    """Check the digest and open the maildrop."""
    if session.stamp is None:
        raise CommandRefused("APOP is not offered here")
    authentication, context = session.world.authentication, session.context()
    account = await authentication.apop(request.name, request.digest, session.stamp, context)
    return await sign_in(session, account)


APOP = Command(word=b"APOP", states=AUTHORIZATION, parse=grammar.apop, run=run, rfc="RFC 1939 §7")
