"""RCPT adds a recipient, who is looked up at once (RFC 5321 §4.1.1.3)."""

from __future__ import annotations

from worldmail.errors import Refusal
from worldmail.interfaces.directory import Elsewhere
from worldmail.interfaces.policy import RecipientRequest
from worldmail.mail.address import Address
from worldmail.mail.domain import normal_domain
from worldmail.mail.envelope import Recipient
from worldmail.mail.received import literal
from worldmail.protocols.smtp.grammar import RcptArguments, needs_smtputf8, parse_rcpt
from worldmail.protocols.smtp.replies import RECIPIENT_OK
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.protocols.smtp.transaction import Transaction
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, arguments: RcptArguments) -> Effects:
    """Add the recipient, if mail for it is taken."""
    transaction = session.transaction
    assert transaction is not None
    world = session.entrance.world
    if transaction.count >= session.entrance.settings.recipients:
        raise Refusal("Too many recipients", code=452, enhanced="4.5.3")  # RFC 5321 §4.5.3.1.10
    if arguments.needs_utf8 and not transaction.arguments.smtputf8:
        raise needs_smtputf8(553)
    address = _qualified(session, arguments.address)
    if str(address) in transaction.known:
        _repeat(session, transaction, address)
        return (RECIPIENT_OK,)
    resolution = await world.directory.resolve(address)
    recipient = Recipient(address=address, notify=arguments.notify, original=arguments.original)
    request = RecipientRequest(
        asker=session.asker,
        sender=transaction.sender,
        recipient=recipient,
        resolution=resolution,
        count=len(transaction.recipients),
        size=transaction.arguments.size,
    )
    waiting = world.policy.ask(request)
    if waiting is not None:
        await waiting
    sender = None if session.account is None else session.account.address
    transaction.add(recipient, await world.expansion.expand(recipient, resolution, sender, transaction.not_before))
    for end in resolution.destinations:
        if isinstance(end, Elsewhere):  # what was not declared is counted as it comes
            transaction.narrow(recipient, end.most)
            transaction.narrow(recipient, None if address.local_key == "postmaster" else end.room)
    return (RECIPIENT_OK,)


def _repeat(session: Session, transaction: Transaction, address: Address) -> None:
    """It has the message; what follows is not for it, and answered as if it were."""
    handover = transaction.handover
    assert handover is not None
    transaction.repeats += 1
    record = session.entrance.world.journal.record
    record("repeated", session=session.peer.session, relay=handover.relay, message=handover.message, to=str(address))


def _qualified(session: Session, address: Address) -> Address:
    """With a domain: our user's own (RFC 6409 §6.1). Postmaster needs none (RFC 5321 §4.5.1).

    Postmaster at the address that the client speaks to is that one too (RFC 1123 §5.2.17).
    """
    if address.local_key == "postmaster":
        here = address.domain.startswith("[") and address.domain_key == normal_domain(literal(session.peer.local_host))
        return Address(address.local, "") if here else address
    if address.domain:
        return address
    if session.account is None:
        raise Refusal("The recipient's address needs a domain", code=501, enhanced="5.1.3")
    return address.qualified(session.account.address.domain)


RCPT = Command(
    word=b"RCPT",
    states=frozenset((State.MAIL,)),
    parse=parse_rcpt,
    run=run,
    rfc="RFC 5321 §4.1.1.3",
)
