"""EHLO and HELO: who the peer is, and what we can do (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from functools import lru_cache

from worldmail.protocols.smtp.grammar import parse_client_name
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def ehlo(session: Session, helo: str) -> Effects:
    """Greet, and announce what every row can do in this session as it is now."""
    session.greet(helo, esmtp=True)
    entrance = session.entrance
    lines = [entrance.host]
    for row in entrance.rows:
        if row.capability is not None:
            lines.extend(row.capability(session))
    return (_listed(tuple(lines)),)


@lru_cache(maxsize=64)
def _listed(lines: tuple[str, ...]) -> bytes:
    """The reply; there are only so many lists."""
    return reply(250, "", *lines)


async def helo(session: Session, name: str) -> Effects:
    """Greet a client of before RFC 1869."""
    session.greet(name, esmtp=False)
    return (reply(250, "", session.entrance.host),)


EHLO = Command(
    word=b"EHLO",
    states=COMMAND_STATES,
    parse=parse_client_name,
    run=ehlo,
    capability=lambda session: ("PIPELINING", "ENHANCEDSTATUSCODES"),  # RFC 2920, RFC 2034
    rfc="RFC 5321 §4.1.1.1",
)
HELO = Command(word=b"HELO", states=COMMAND_STATES, parse=parse_client_name, run=helo, rfc="RFC 5321 §4.1.1.1")
