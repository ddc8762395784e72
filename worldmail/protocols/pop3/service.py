"""POP3 as a service."""

from __future__ import annotations

from typing import Any

from worldmail.interfaces.world import World
from worldmail.protocols.pop3.delays import LoginDelays
from worldmail.protocols.pop3.sessions import Sessions, make_site
from worldmail.protocols.pop3.settings import Pop3Listener, Pop3Settings
from worldmail.transport.service import dialogue_service


def pop3_service(world: World, settings: Pop3Settings) -> Any:
    """Serves POP3 wherever the settings say."""
    delays = LoginDelays(settings.login_delay)

    def sessions(listener: Pop3Listener) -> Sessions:
        return Sessions(make_site(world, settings, delays=delays, offers_tls=listener.tls == "starttls"))

    return dialogue_service("pop3", world, settings.listeners, sessions, greets_secured=True)
