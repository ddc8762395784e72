"""USER and PASS: a name and a password in the clear (RFC 1939 §7)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.login import sign_in
from worldmail.protocols.pop3.replies import CommandRefused
from worldmail.protocols.pop3.session import AUTHORIZATION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects

_NEEDS_TLS = "Passwords are taken in TLS only, please give STLS first"


def user_capability(session: Session) -> Iterable[str]:
    """Announced where the two commands work (RFC 2449 §6.2)."""
    return ("USER",) if session.context().secure else ()


async def run_user(session: Session, name: str) -> Effects:
    """Every name is welcome: who exists is not told (RFC 1939 §7, RFC 2449 §8.1.1)."""
    if not session.context().secure:
        raise CommandRefused(_NEEDS_TLS)
    session.user = name
    return session.ok("Password, please")


async def run_pass(session: Session, password: str) -> Effects:
    """Check the pair and open the maildrop."""
    if not session.context().secure:
        raise CommandRefused(_NEEDS_TLS)
    if session.user is None:
        raise CommandRefused("Please give USER first")
    account = await session.world.authentication.password(session.user, password, session.context())
    return await sign_in(session, account)


USER = Command(
    word=b"USER",
    states=AUTHORIZATION,
    parse=grammar.login_name,
    run=run_user,
    capability=user_capability,
    rfc="RFC 1939 §7",
)

PASS = Command(word=b"PASS", states=AUTHORIZATION, parse=grammar.password, run=run_pass, rfc="RFC 1939 §7")
