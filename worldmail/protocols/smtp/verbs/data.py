"""DATA: the message, dot-stuffed (RFC 5321 §4.1.1.4)."""

from __future__ import annotations

from worldmail.errors import Refusal
from worldmail.mail.envelope import Body, Origin
from worldmail.mail.received import with_word
from worldmail.protocols.smtp.grammar import parse_nothing
from worldmail.protocols.smtp.intake import Consignment, Intake
from worldmail.protocols.smtp.replies import GO_AHEAD
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.protocols.smtp.transaction import Transaction
from worldmail.protocols.smtp.transfer import Transfer
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """Take the text, if there is somebody to take it for."""
    transaction = session.transaction
    assert transaction is not None
    if not transaction.recipients:
        raise no_recipients()
    if transaction.arguments.body is Body.BINARY:
        raise Refusal("BINARYMIME content comes by BDAT", code=503, enhanced="5.5.1")  # RFC 3030 §3
    intake = transaction.intake = open_intake(session, transaction)
    session.receive_text(Transfer(intake, transaction=transaction))
    return (GO_AHEAD,)


def no_recipients() -> Refusal:
    """What is said where every RCPT was refused, or none was sent (RFC 5321 §3.3)."""
    return Refusal("No valid recipients", code=554, enhanced="5.5.1")


def open_intake(session: Session, transaction: Transaction) -> Intake:
    """Where the content of this transaction goes."""
    entrance = session.entrance
    peer, account = session.peer, session.account
    origin = Origin(
        session=peer.session,
        protocol=with_word(
            esmtp=session.esmtp,
            tls=peer.tls is not None,
            authenticated=account is not None,
            smtputf8=transaction.arguments.smtputf8,
        ),
        client=peer.host,
        helo=session.helo,
        tls=peer.tls,
        account=None if account is None else str(account.address),
    )
    return Intake(
        Consignment(
            world=entrance.world,
            settings=entrance.settings,
            host=entrance.host,
            asker=session.asker,
            origin=origin,
            envelope=transaction.envelope(),
            deliveries=tuple(transaction.deliveries.values()),
            onward=tuple(transaction.onward.values()),
            wishes=transaction.wishes,
            size_limit=transaction.size_limit,
            trusted=entrance.trusted,
        )
    )


DATA = Command(
    word=b"DATA",
    states=frozenset((State.MAIL,)),
    parse=parse_nothing,
    run=run,
    rfc="RFC 5321 §4.1.1.4",
)
