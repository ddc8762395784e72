"""What the log hears of refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.errors import Refusal

if TYPE_CHECKING:
    from worldmail.protocols.smtp.session import Session

RECORDED = frozenset((b"MAIL", b"RCPT", b"DATA", b"BDAT", b"BURL", b"STARTTLS", b"ATRN"))
"""Commands whose refusals are recorded; those of AUTH are recorded where passwords are checked, those of ETRN where
releases are."""

_NO_REFUSAL = (b"ATRN", 453)  # RFC 2645 §4: nothing waits
_WITH_ARGUMENT = frozenset((b"MAIL", b"RCPT", b"ATRN"))
_ARGUMENT = 320  # octets of it


def record_refusal(session: Session, refusal: Refusal, word: bytes, argument: bytes) -> None:
    """One record: at which command, with which reply, and the reason that the peer is not told."""
    if (word, refusal.reply_code) == _NO_REFUSAL:
        return
    transaction = session.transaction
    shown = argument[:_ARGUMENT].decode("utf-8", "backslashreplace") if word in _WITH_ARGUMENT else None
    session.entrance.world.journal.record(
        "refused",
        session=session.peer.session,
        client=session.peer.host,
        stage=word.decode(),
        code=refusal.reply_code,
        enhanced=refusal.reply_enhanced,
        reason=refusal.reason or refusal.reply_text,
        sender=None if transaction is None else str(transaction.sender or "<>"),
        argument=shown,
    )
