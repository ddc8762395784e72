"""IMAP as a service."""

from __future__ import annotations

from typing import Any

from worldmail.interfaces.world import World
from worldmail.protocols.imap.sessions import Sessions, make_site
from worldmail.protocols.imap.settings import ImapListener, ImapSettings
from worldmail.protocols.imap.view.recents import Recents
from worldmail.transport.service import dialogue_service


def imap_service(world: World, settings: ImapSettings) -> Any:
    """Serves IMAP wherever the settings say."""

    recents = Recents()

    def sessions(listener: ImapListener) -> Sessions:
        return Sessions(make_site(world, settings, offers_tls=listener.tls == "starttls", recents=recents))

    # The greeting tells the mechanisms, and which there are depends on TLS.
    return dialogue_service("imap", world, settings.listeners, sessions, greets_secured=True)
