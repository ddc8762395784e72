"""STARTTLS upgrades the connection (RFC 3207)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.errors import Refusal
from worldmail.protocols.smtp.grammar import parse_nothing
from worldmail.protocols.smtp.replies import READY_FOR_TLS
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects, StartTls


async def run(session: Session, argument: None) -> Effects:
    """Say so, and upgrade; the driver closes if anything waits behind the command."""
    if session.peer.tls is not None:
        raise Refusal("TLS is active already", code=503, enhanced="5.5.1")
    if not session.entrance.world.tls.available():
        raise Refusal("TLS is not available now", code=454, enhanced="4.7.0")  # RFC 3207 §4
    return (READY_FOR_TLS, StartTls())


def _capability(session: Session) -> Iterable[str]:
    entrance = session.entrance
    if session.peer.tls is None and entrance.listener.tls == "starttls" and entrance.world.tls.available():
        return ("STARTTLS",)
    return ()


STARTTLS = Command(
    word=b"STARTTLS",
    states=frozenset((State.NEW, State.READY)),
    parse=parse_nothing,
    run=run,
    capability=_capability,
    offered=lambda session: session.entrance.listener.tls == "starttls",
    rfc="RFC 3207 §4",
)
