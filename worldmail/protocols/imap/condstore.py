"""What turns CONDSTORE on for a session (RFC 7162 §3.1): from then on flags are told with their MODSEQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.untagged import highest_modseq

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


def enable_condstore(session: Session, selected: Selected | None = None) -> tuple[bytes, ...]:
    """A CONDSTORE enabling command was given; what is told then, once, of the selected mailbox (RFC 7162 §3.1.2)."""
    if "CONDSTORE" in session.enabled:
        return ()
    session.enable("CONDSTORE")
    return () if selected is None else (highest_modseq(selected.view.modseq),)


def turn_on_condstore(session: Session) -> None:
    """ENABLE CONDSTORE, and ENABLE QRESYNC, which implies it (RFC 7162 §3.2.3)."""
    session.enable("CONDSTORE")


def nothing_more(session: Session) -> None:
    """ENABLE of what is looked up where it matters."""


__all__ = ["enable_condstore", "highest_modseq", "nothing_more", "turn_on_condstore"]
