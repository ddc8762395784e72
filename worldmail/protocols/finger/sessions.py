"""Makes the sessions of a server."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.protocol import ISuccessor, Peer
from worldmail.protocols.finger.grammar import LINE
from worldmail.protocols.finger.session import Session, Site
from worldmail.wire.lines import LineBuffer

_NOBODY = Peer(session="", host="", port=0, local_host="", local_port=0)


@implementer(ISuccessor)
@frozen
class Sessions:
    """Called once for each connection."""

    site: Site

    def __call__(self) -> Session:
        """A new session, to be opened."""
        return Session(site=self.site, lines=LineBuffer(LINE), peer=_NOBODY)

    def succeed(self, predecessor: Any) -> None:
        """See `ISuccessor.succeed`: wrong words of lately count all the same."""
        if isinstance(predecessor, Sessions):
            self.site.guesses.continue_from(predecessor.site.guesses)
