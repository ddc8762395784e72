"""UTF8: UTF-8 in headers from now on (RFC 6856 §2)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.session import AUTHORIZATION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


def capability(session: Session) -> Iterable[str]:
    """With USER: names and passwords may be in UTF-8, in this mode or not (RFC 6856 §2.2)."""
    return ("UTF8 USER",)


async def run(session: Session, argument: None) -> Effects:
    """Enter UTF-8 mode."""
    session.utf8 = True
    return session.ok("UTF-8 it is")


UTF8 = Command(
    word=b"UTF8", states=AUTHORIZATION, parse=grammar.nothing, run=run, capability=capability, rfc="RFC 6856 §2.1"
)
