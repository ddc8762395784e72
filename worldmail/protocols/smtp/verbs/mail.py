"""MAIL begins a transaction (RFC 5321 §4.1.1.2)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.errors import MessageTooLarge, Refusal, TooManyRequests
from worldmail.interfaces.policy import SenderRequest
from worldmail.interfaces.store import Handover
from worldmail.mail.address import Address
from worldmail.protocols.smtp.grammar import MailArguments, parse_mail
from worldmail.protocols.smtp.granting import announced, grant
from worldmail.protocols.smtp.replies import SENDER_OK
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.protocols.smtp.transaction import Transaction
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, arguments: MailArguments) -> Effects:
    """Begin, if the sender may."""
    entrance = session.entrance
    if session.turn is not None:
        session.turn.heard()
    if entrance.submission and session.account is None:
        raise Refusal("Authentication required", code=530, enhanced="5.7.0")  # RFC 6409 §4.3, RFC 4954 §6
    if session.transactions >= entrance.settings.transactions:
        raise TooManyRequests("Too many messages in one session")  # RFC 9422 §4.1
    size_limit = session.size_limit
    if arguments.size is not None and arguments.size > size_limit:
        raise MessageTooLarge  # RFC 1870 §6.1
    entrance.world.acceptance.check_room(arguments.size or 0)
    sender = _qualified(session, arguments.sender)
    waiting = entrance.world.policy.ask(SenderRequest(asker=session.asker, sender=sender, size=arguments.size))
    if waiting is not None:
        await waiting
    transaction = Transaction(sender, arguments, size_limit, _submitter(session, arguments.submitter))
    await _look_for_repeats(session, transaction)
    answer = SENDER_OK if arguments.asked is None else grant(session, transaction, arguments.asked)
    session.begin(transaction)
    return (answer,)


def _qualified(session: Session, sender: Address | None) -> Address | None:
    """With a domain: our user's own (RFC 6409 §6.1); on an mx listener it must have one."""
    if sender is None or sender.domain:
        return sender
    if session.account is None:
        raise Refusal("The sender's address needs a domain", code=501, enhanced="5.1.7")
    return sender.qualified(session.account.address.domain)


async def _look_for_repeats(session: Session, transaction: Transaction) -> None:
    """A relay of ours hands a message over again if it saw no reply. Who has it then does not get it twice."""
    turn, told = session.turn, session.told
    if turn is not None and turn.pair is not None and told is not None and told.id:
        handover = transaction.handover = Handover(relay=turn.pair, message=told.id)
        transaction.known = await session.entrance.world.acceptance.arrived(handover)


def _submitter(session: Session, named: str | None) -> Address | None:
    """Who is named as the submitter, if we trust the client to say so: who is not signed in never (RFC 4954 §5).

    Users can say it of themselves; of others can who relays through us, from one of the networks for that.
    """
    account = session.account
    if not named or account is None:
        return None
    address = Address.parse(named)
    trusted = address.key == account.address.key or session.asker.within(session.entrance.trusted)
    return address if trusted else None


def _capability(session: Session) -> Iterable[str]:
    settings = session.entrance.settings
    return (
        f"SIZE {session.size_limit}",  # RFC 1870 §4
        "8BITMIME",  # RFC 6152
        "SMTPUTF8",  # RFC 6531
        f"LIMITS RCPTMAX={settings.recipients} MAILMAX={settings.transactions}",  # RFC 9422
        *announced(session),
    )


MAIL = Command(
    word=b"MAIL",
    states=frozenset((State.READY,)),
    parse=parse_mail,
    run=run,
    capability=_capability,
    rfc="RFC 5321 §4.1.1.2",
)
