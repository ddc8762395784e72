"""DATA: the message, dot-stuffed (RFC 5321 §4.1.1.4)."""

from __future__ import annotations

from functools import lru_cache

from worldmail.errors import Refusal
from worldmail.interfaces.pairs import End
from worldmail.mail.envelope import Body, Origin
from worldmail.mail.received import with_word
from worldmail.mail.results import normal_name
from worldmail.protocols.smtp.grammar import parse_nothing
from worldmail.protocols.smtp.granting import priorities_of
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
    if not transaction.count:
        raise no_recipients()
    if transaction.arguments.body is Body.BINARY:
        raise Refusal("BINARYMIME content comes by BDAT", code=503, enhanced="5.5.1")  # RFC 3030 §3
    intake = transaction.intake = open_intake(session, transaction)
    session.receive_text(Transfer(intake, transaction=transaction))
    return (GO_AHEAD,)


def no_recipients() -> Refusal:
    """What is said where every RCPT was refused, or none was sent (RFC 5321 §3.3)."""
    return Refusal("No valid recipients", code=554, enhanced="5.5.1")


def open_intake(session: Session, transaction: Transaction) -> Intake | None:
    """Where the content of this transaction goes; None for nowhere, since all its recipients have it."""
    if not transaction.recipients:
        return None
    entrance = session.entrance
    peer, account, asked = session.peer, session.account, transaction.arguments.asked
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
        turned=None if session.turn is None else session.turn.turned,
        told=session.told,
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
            priorities=priorities_of(session),
            asked_priority=None if asked is None else asked.priority,
            forged=_forged(session),
            handover=transaction.handover,
        )
    )


def _forged(session: Session) -> frozenset[str]:
    """Ours; and those of the relays that we trust, but for what the one that hands this over calls itself: in that name
    it removed others'. What we call it, if that is another, is nobody's to use."""
    pairs, turn, host = session.entrance.world.pairs, session.turn, session.entrance.host
    if pairs is None:
        return _normal((host,))
    relays = [pair for pair in pairs.pairs() if pair.end is End.SITE]
    names = _normal(tuple(name for pair in relays for name in pair.names))
    own = [pair.called or pair.host for pair in relays if turn is not None and turn.pair == pair.name]
    return (names - _normal(tuple(own)) if own else names) | _normal((host,))


@lru_cache(maxsize=64)
def _normal(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(normal_name, names))


DATA = Command(
    word=b"DATA",
    states=frozenset((State.MAIL,)),
    parse=parse_nothing,
    run=run,
    rfc="RFC 5321 §4.1.1.4",
)
