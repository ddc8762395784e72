"""Commands that end in LF alone, of those who ask for their mail with sendmail's etrn script, which writes them so.

RFC 5321 §2.3.8 lets nothing but CRLF end a line, and so it is here: where octets of a message could be meant, any other
reading is how mail is smuggled. What is let pass cannot be any: commands that carry nothing, before the first message
of the session, from an address that may release a hold without signing in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.errors import Refusal
from worldmail.protocols.smtp.states import GREETED_STATES, State

if TYPE_CHECKING:
    from worldmail.protocols.smtp.session import Session

_WORDS = frozenset((b"HELO", b"EHLO", b"ETRN", b"QUIT"))


def may_end_in_feed(session: Session, start: bytes) -> bool:
    """May the command that begins like this end in LF alone?"""
    if start.split(b"\n", 1)[0].split(b" ", 1)[0].upper() not in _WORDS or session.transactions:
        return False
    if session.state is not State.NEW and session.state not in GREETED_STATES:
        return False
    settings, releases = session.entrance.settings, session.entrance.world.releases
    try:
        return settings.etrn and releases is not None and releases.may_ask(session.peer.host)
    except Refusal:  # it is not known now
        return False
