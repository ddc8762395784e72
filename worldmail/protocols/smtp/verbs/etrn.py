"""ETRN lets mail go that waits here for others (RFC 1985)."""

from __future__ import annotations

from worldmail.errors import Refusal
from worldmail.interfaces.releases import ReleaseRequest, Wanted
from worldmail.protocols.smtp.grammar import parse_release
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, named: tuple[Wanted, str]) -> Effects:
    """Begin to send it; one line says how much there is (§5.1)."""
    releases = session.entrance.world.releases
    assert releases is not None
    wanted, name = named
    request = ReleaseRequest(
        wanted=wanted, name=name, session=session.peer.session, client=session.peer.host, account=session.account
    )
    node = f"{wanted.value}{name}"
    try:
        started = await releases.release(request)
    except Refusal as refusal:
        text = f"{refusal.reply_text}: node {node}"
        raise Refusal(text, reason=refusal.reason, code=refusal.reply_code, enhanced=refusal.reply_enhanced) from None
    if started.messages:
        return (reply(253, "2.0.0", f"Ok, {started.messages} pending messages for node {node} started"),)
    if started.under_way:
        return (reply(252, "2.0.0", f"Ok, pending messages for node {node} started"),)
    return (reply(251, "2.0.0", f"Ok, no messages waiting for node {node}"),)


def _offered(session: Session) -> bool:
    return session.entrance.settings.etrn and session.entrance.world.releases is not None


ETRN = Command(
    word=b"ETRN",
    states=frozenset((State.READY,)),
    parse=parse_release,
    run=run,
    capability=lambda session: ("ETRN",) if _offered(session) else (),
    offered=_offered,
    rfc="RFC 1985 §5",
)
