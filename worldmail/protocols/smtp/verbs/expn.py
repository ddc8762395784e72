"""EXPN: where does this alias lead? Told to whom the site allows it (RFC 5321 §3.5, §7.3)."""

from __future__ import annotations

from worldmail.errors import NoSuchRecipient, NotPermitted
from worldmail.interfaces.directory import Elsewhere, LocalAccount
from worldmail.protocols.smtp.grammar import Lookup, parse_lookup
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES
from worldmail.protocols.smtp.verbs.vrfy import allowed, looked_for, shown
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, lookup: Lookup) -> Effects:
    """Each end on a line."""
    setting = session.entrance.settings.expn
    if not allowed(session, setting):
        raise NotPermitted
    resolution = await session.entrance.world.directory.resolve(looked_for(session, lookup))
    ends = [
        end.account.address if isinstance(end, LocalAccount) else end.address
        for end in resolution.destinations
        if isinstance(end, LocalAccount | Elsewhere)
    ]
    if not ends:
        raise NoSuchRecipient
    return (reply(250, "2.1.5", *(shown(end, lookup) for end in ends)),)


EXPN = Command(
    word=b"EXPN",
    states=COMMAND_STATES,
    parse=parse_lookup,
    run=run,
    capability=lambda session: ("EXPN",) if allowed(session, session.entrance.settings.expn) else (),
    offered=lambda session: session.entrance.settings.expn != "off",
    rfc="RFC 5321 §4.1.1.7",
)
