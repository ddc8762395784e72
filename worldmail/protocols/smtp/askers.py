"""Who asks, as policy sees a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.interfaces.policy import Asker

if TYPE_CHECKING:
    from worldmail.protocols.smtp.session import Session


def make_asker(session: Session) -> Asker:
    """As the session is now.

    On a connection that we opened the mail's client is who the relay says it is, if that is ours; else nobody knows it.
    """
    client, helo, turn, told = session.peer.host, session.helo, session.turn, session.told
    if turn is not None:
        trusted = told is not None and turn.pair is not None
        client, helo = (told.client, told.helo) if told is not None and trusted else ("", "")
    return Asker(
        session=session.peer.session,
        role=session.entrance.listener.role,
        client=client,
        helo=helo,
        told_by="" if turn is None else turn.turned.relay,
        tls=session.peer.tls is not None,
        account=session.account,
    )
