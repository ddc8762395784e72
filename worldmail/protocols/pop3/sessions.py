"""Makes the sessions of a server."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.protocol import ISuccessor, Peer
from worldmail.interfaces.world import World
from worldmail.protocols.pop3.delays import LoginDelays
from worldmail.protocols.pop3.parser import LineBuffer
from worldmail.protocols.pop3.session import Session
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.protocols.pop3.site import Site
from worldmail.protocols.pop3.verbs import COMMANDS, ROWS
from worldmail.wire.networks import NetworkSet

_NOBODY = Peer(session="", host="", port=0, local_host="", local_port=0)


def make_site(
    world: World, settings: Pop3Settings, *, delays: LoginDelays | None = None, offers_tls: bool = True
) -> Site:
    """What the sessions of a listener share; `delays` is shared by all listeners."""
    return Site(
        world=world,
        settings=settings,
        rows=ROWS,
        commands=COMMANDS,
        delays=delays or LoginDelays(settings.login_delay),
        plaintext=NetworkSet(world.settings.auth.plaintext_without_tls),
        offers_tls=offers_tls,
    )


@implementer(ISuccessor)
@frozen
class Sessions:
    """Called once for each connection."""

    site: Site

    def __call__(self) -> Session:
        """A new session, to be opened."""
        return Session(site=self.site, lines=LineBuffer(self.site.settings.command_line), peer=_NOBODY)

    def succeed(self, predecessor: Any) -> None:
        """See `ISuccessor.succeed`: who signed in lately must wait all the same."""
        if isinstance(predecessor, Sessions):
            self.site.delays.continue_from(predecessor.site.delays)
