"""Makes the sessions of a server."""

from __future__ import annotations

from attrs import frozen

from worldmail.interfaces.protocol import Peer
from worldmail.interfaces.world import World
from worldmail.protocols.imap.extensions import EXTENSIONS
from worldmail.protocols.imap.parser import Parser
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.settings import ImapSettings
from worldmail.protocols.imap.site import Site
from worldmail.protocols.imap.verbs import ROWS
from worldmail.protocols.imap.view.recents import Recents
from worldmail.wire.networks import NetworkSet

_NOBODY = Peer(session="", host="", port=0, local_host="", local_port=0)


def make_site(world: World, settings: ImapSettings, *, offers_tls: bool = True, recents: Recents | None = None) -> Site:
    """What the sessions of a listener share; `recents` those of all listeners."""
    return Site(
        world=world,
        settings=settings,
        rows=ROWS,
        extensions=EXTENSIONS,
        plaintext=NetworkSet(world.settings.auth.plaintext_without_tls),
        offers_tls=offers_tls,
        recents=Recents() if recents is None else recents,
    )


@frozen
class Sessions:
    """Called once for each connection."""

    site: Site

    def __call__(self) -> Session:
        """A new session, to be opened."""
        return Session(site=self.site, parser=Parser(self.site.settings.line_before_login), peer=_NOBODY)
