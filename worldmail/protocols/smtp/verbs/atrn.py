"""ATRN hands over what waits for a customer, over the customer's own connection (RFC 2645).

XSTAY is an extension of ours: `ATRN [domains] STAY=seconds` asks that the turn go on when nothing waits any more. It
is announced to everybody beside ATRN, so that it costs no further EHLO behind AUTH, but in TLS alone: the connection
stands for days. What one customer can hold open with it is one connection for each of its domains.
"""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.errors import Refusal
from worldmail.protocols.smtp.grammar import TurnArguments, parse_turn
from worldmail.protocols.smtp.replies import REVERSING
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.wire.commands import Command
from worldmail.wire.effects import Become, Effects


async def run(session: Session, arguments: TurnArguments) -> Effects:
    """From its reply on we are the client: the customer's server greets (§4.1)."""
    releases = session.entrance.world.releases
    assert releases is not None
    if session.account is None:
        raise Refusal("Authentication required", code=530, enhanced="5.7.0")  # RFC 2645 §4.1.1, RFC 4954 §6
    if arguments.stay and session.peer.tls is None:
        raise Refusal("STAY needs TLS", code=501, enhanced="5.5.4")
    dialogue = await releases.turn(session.account, arguments.domains, session.peer.session, arguments.stay)
    if session.state is State.CLOSED:
        dialogue.closed("the customer is gone")
        return ()
    if session.buffered():  # it could be taken for what the customer's server says
        dialogue.closed("input behind ATRN")
        refusal = Refusal("ATRN must be the last command of a group", code=503, enhanced="5.5.1")  # RFC 2920 §3.1
        return session.refuse_for_good(refusal, "input behind ATRN")
    return (REVERSING, Become(dialogue))


def _offered(session: Session) -> bool:
    return session.entrance.listener.turns and session.entrance.world.releases is not None


def _capability(session: Session) -> Iterable[str]:
    if not _offered(session):
        return ()
    return ("ATRN",) if session.peer.tls is None else ("ATRN", "XSTAY")


ATRN = Command(
    word=b"ATRN",
    states=frozenset((State.READY,)),
    parse=parse_turn,
    run=run,
    capability=_capability,
    offered=_offered,
    rfc="RFC 2645 §4",
)
