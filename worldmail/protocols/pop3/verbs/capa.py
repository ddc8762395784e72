"""CAPA: what this server can do for this session (RFC 2449 §5)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.replies import multi_line
from worldmail.protocols.pop3.session import BOTH, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


def capabilities(session: Session) -> list[str]:
    """The lines: those of the commands, then those of the server as a whole."""
    lines = [line for row in session.site.rows if row.capability for line in row.capability(session)]
    settings = session.settings
    lines += ["RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"]  # RFC 2449 §6.4, RFC 3206 §6, RFC 2449 §6.6
    lines.append("EXPIRE NEVER" if settings.expire is None else f"EXPIRE {settings.expire}")  # RFC 2449 §6.7
    if settings.login_delay:
        lines.append(f"LOGIN-DELAY {-int(-settings.login_delay // 1)}")  # RFC 2449 §6.5, whole seconds
    lines.append("IMPLEMENTATION WorldMail")  # RFC 2449 §6.9
    return lines


async def run(session: Session, argument: None) -> Effects:
    """List them."""
    return (multi_line("Capabilities follow", (line.encode("ascii") for line in capabilities(session))),)


CAPA = Command(word=b"CAPA", states=BOTH, parse=grammar.nothing, run=run, rfc="RFC 2449 §5")
