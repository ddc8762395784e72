"""NAMESPACE: where whose mailboxes are (RFC 2342, RFC 9051 §6.3.10)."""

from __future__ import annotations

from worldmail.interfaces.folders import OTHERS, PUBLIC
from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.replies import quoted_or_literal
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


def _namespace(prefix: str) -> bytes:
    return b"((" + quoted_or_literal(prefix.encode("ascii")) + b' "/"))'


_ANSWER = b" ".join((b"* NAMESPACE", _namespace(""), _namespace(OTHERS), _namespace(PUBLIC))) + b"\r\n"


async def run(session: Session, argument: None) -> Effects:
    """One's own, other users', shared: one of each, the same for everybody."""
    return (_ANSWER,)


NAMESPACE = Command(
    word=b"NAMESPACE",
    states=SIGNED_IN,
    parse=nothing,
    run=run,
    capability="NAMESPACE",
    rfc="RFC 2342 §5, RFC 9051 §6.3.10",
)
