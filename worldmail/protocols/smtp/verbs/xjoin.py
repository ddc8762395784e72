"""XJOIN redeems an invitation: the site whose mail we hold gives itself a password (`paired`).

It is announced while an invitation is open, and to a site that has joined: without arguments it says again what was
said then.
"""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.errors import Refusal
from worldmail.interfaces.pairs import IRelayEnd, Joined, Pair
from worldmail.protocols.smtp.paired import JoinArguments, joined_lines, parse_join
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, arguments: JoinArguments | None) -> Effects:
    """One answer for all codes that are good for nothing."""
    end = relay_end(session)
    if session.peer.tls is None:
        raise Refusal("Must issue a STARTTLS command first", code=530, enhanced="5.7.0")  # RFC 3207 §4
    if arguments is None:
        return (_told(end.facts(required_site(session))),)
    if session.account is not None:
        raise Refusal("Already authenticated", code=503, enhanced="5.5.1")
    peer = session.peer
    return (_told(await end.join(arguments.secret, arguments.password, peer.host, peer.session)),)


def _told(joined: Joined) -> bytes:
    return reply(250, "2.0.0", "Joined", *joined_lines(joined), "Joined")


def relay_end(session: Session) -> IRelayEnd:
    """What we do for our sites, where the command is offered."""
    end = session.entrance.world.relay_end
    assert end is not None
    return end


def site_of(session: Session) -> Pair | None:
    """The site that has signed in, None if it is nobody's that has joined."""
    pairs, account = session.entrance.world.pairs, session.account
    if pairs is None or account is None or session.peer.tls is None:
        return None
    found: Pair | None = pairs.site(account.address.key)
    return found


def required_site(session: Session) -> Pair:
    """The same. Raises Refusal 530, 550."""
    if session.account is None:
        raise Refusal("Authentication required", code=530, enhanced="5.7.0")  # RFC 4954 §6
    site = site_of(session)
    if site is None:
        raise Refusal("This is for sites that have joined", code=550, enhanced="5.7.1")
    return site


def offered_to_sites(session: Session) -> bool:
    """True on listeners where sites fetch what is held for them."""
    return session.entrance.listener.turns and session.entrance.world.relay_end is not None


def _capability(session: Session) -> Iterable[str]:
    if not offered_to_sites(session) or session.peer.tls is None:
        return ()
    known = site_of(session) is not None if session.account is not None else relay_end(session).inviting
    return ("XJOIN",) if known else ()


XJOIN = Command(
    word=b"XJOIN",
    states=frozenset((State.READY,)),
    parse=parse_join,
    run=run,
    capability=_capability,
    offered=offered_to_sites,
    rfc="RFC 5321 §4.1.5",
)
