"""XFORWARD: the client tells how it had the message that comes next (`protocols.smtp.xforward`).

It is for a relay that we are paired with, over a connection that it turned for us, and for clients of networks that an
administrator trusts with it. What these say is for trace and log alone, as it is in Postfix; policy sees what the
relay of ours says, and that only to refuse by: nobody may do more because of it (`Asker.told_by`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from worldmail.errors import Refusal
from worldmail.mail.envelope import Facts
from worldmail.protocols.smtp.replies import OK
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.protocols.smtp.xforward import NAMES, parse_xforward
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, said: dict[str, Any]) -> Effects:
    """It counts for the next transaction, with what was said of it before."""
    if not _may(session):
        raise Refusal("Insufficient authorization", code=550, enhanced="5.7.0")
    session.tell(evolve(session.told or Facts(), **said))
    return (OK,)


def _may(session: Session) -> bool:
    if session.turn is not None:
        return session.turn.pair is not None
    return session.peer.host in session.entrance.forwarders


def _offered(session: Session) -> bool:
    return bool(session.entrance.forwarders) if session.turn is None else session.turn.pair is not None


def _capability(session: Session) -> Iterable[str]:
    return (f"XFORWARD {' '.join(NAMES)}",) if _may(session) else ()


XFORWARD = Command(
    word=b"XFORWARD",
    states=frozenset((State.READY,)),
    parse=parse_xforward,
    run=run,
    capability=_capability,
    offered=_offered,
    rfc="RFC 5321 §4.1.5",
)
