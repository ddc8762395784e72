"""ESMTP as a service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from worldmail.interfaces.world import World
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.settings import SmtpListener, SmtpSettings
from worldmail.protocols.smtp.verbs import ROWS
from worldmail.transport.service import dialogue_service


def smtp_service(world: World, settings: SmtpSettings) -> Any:
    """Serves ESMTP wherever the settings say."""

    def sessions(listener: SmtpListener) -> Callable[[], Session]:
        return partial(Session, Entrance.make(world, settings, listener, ROWS))

    return dialogue_service("smtp", world, settings.listeners, sessions)
