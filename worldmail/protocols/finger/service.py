"""Finger as a service."""

from __future__ import annotations

from typing import Any

from worldmail.interfaces.world import World
from worldmail.protocols.finger.guesses import Guesses
from worldmail.protocols.finger.session import Site
from worldmail.protocols.finger.sessions import Sessions
from worldmail.protocols.finger.settings import FingerListener, FingerSettings
from worldmail.transport.service import dialogue_service


def finger_service(world: World, settings: FingerSettings) -> Any:
    """Serves finger wherever the settings say."""
    site = Site(world=world, settings=settings, guesses=Guesses(settings.wrong_words))

    def sessions(listener: FingerListener) -> Sessions:
        return Sessions(site)

    return dialogue_service("finger", world, settings.listeners, sessions)
