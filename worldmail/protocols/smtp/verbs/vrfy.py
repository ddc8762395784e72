"""VRFY: is this a mailbox? Told to whom the site allows it (RFC 5321 §3.5, §7.3)."""

from __future__ import annotations

from worldmail.errors import NoSuchRecipient, Refusal
from worldmail.interfaces.directory import Elsewhere, LocalAccount
from worldmail.mail.address import Address
from worldmail.protocols.smtp.grammar import Lookup, parse_lookup
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects

CANNOT_VERIFY = reply(252, "2.5.0", "Cannot verify, but the message will be tried")


async def run(session: Session, lookup: Lookup) -> Effects:
    """Whether it exists; 252 for everything where that is nobody's business."""
    if not allowed(session, session.entrance.settings.vrfy):
        return (CANNOT_VERIFY,)
    address = looked_for(session, lookup)
    resolution = await session.entrance.world.directory.resolve(address)
    if any(isinstance(end, LocalAccount) for end in resolution.destinations):
        return (reply(250, "2.1.5", shown(address, lookup)),)
    if any(isinstance(end, Elsewhere) for end in resolution.destinations):
        return (CANNOT_VERIFY,)
    raise NoSuchRecipient


def allowed(session: Session, setting: str) -> bool:
    """True if the setting ("off", "signed-in", "on") lets this session."""
    return setting == "on" or (setting == "signed-in" and session.account is not None)


def looked_for(session: Session, lookup: Lookup) -> Address:
    """The address that is meant. Raises Refusal 501 5.1.3."""
    try:
        address = Address.parse(lookup.text)
    except ValueError:
        raise Refusal("Malformed address", code=501, enhanced="5.1.3") from None
    return address if session.account is None else address.qualified(session.account.address.domain)


def shown(address: Address, lookup: Lookup) -> str:
    """The address in a reply. Raises Refusal 550 5.6.8 if it cannot be shown without UTF-8 (RFC 6531 §3.7.4.2)."""
    if not (address.is_ascii or lookup.smtputf8):
        raise Refusal("The address cannot be shown without SMTPUTF8", code=550, enhanced="5.6.8")
    return f"<{address}>"


VRFY = Command(
    word=b"VRFY",
    states=COMMAND_STATES,
    parse=parse_lookup,
    run=run,
    capability=lambda session: ("VRFY",) if allowed(session, session.entrance.settings.vrfy) else (),
    rfc="RFC 5321 §4.1.1.6",
)
