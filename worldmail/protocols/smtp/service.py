"""ESMTP as a service: one listener for each of the settings'."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.application.service import MultiService

from worldmail.interfaces.world import World
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.settings import SmtpListener, SmtpSettings
from worldmail.protocols.smtp.verbs import ROWS
from worldmail.transport.driver import DialogueFactory
from worldmail.transport.factory import ConnectionFactory
from worldmail.transport.listen import Listener

_MULTI_SERVICE: Any = MultiService  # its methods have no annotations


def smtp_service(world: World, settings: SmtpSettings) -> Any:
    """Serves ESMTP wherever the settings say. An implicit listener without a certificate is left out."""
    service = _MULTI_SERVICE()
    service.setName("smtp")
    for listener in settings.listeners:
        if listener.tls == "implicit" and not world.tls.available():
            world.journal.record("listener.left-out", listener=listener.name, reason="no certificate")
            continue
        _listener(world, settings, listener).setServiceParent(service)
    return service


def _listener(world: World, settings: SmtpSettings, listener: SmtpListener) -> Any:
    entrance = Entrance.make(world, settings, listener, ROWS)
    factory: ConnectionFactory = DialogueFactory(
        partial(Session, entrance),
        name=listener.name,
        reactor=world.reactor,
        journal=world.journal,
        tls=world.tls,
        implicit_tls=listener.tls == "implicit",
        limits=world.limits,
    )
    places = [(place.host, place.port) for place in listener.listen]
    made: Any = Listener(factory, places, reactor=world.reactor, grace=world.settings.server.shutdown_timeout)
    made.setName(listener.name)
    return made
