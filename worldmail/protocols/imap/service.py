"""IMAP as a service: one listener for each of the settings'."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService

from worldmail.interfaces.world import World
from worldmail.protocols.imap.sessions import Sessions, make_site
from worldmail.protocols.imap.settings import ImapListener, ImapSettings
from worldmail.transport.driver import DialogueFactory
from worldmail.transport.factory import ConnectionFactory
from worldmail.transport.listen import Listener

_MULTI_SERVICE: Any = MultiService  # its methods have no annotations


def imap_service(world: World, settings: ImapSettings) -> Any:
    """Serves IMAP wherever the settings say. An implicit listener without a certificate is left out."""
    service = _MULTI_SERVICE()
    service.setName("imap")
    for listener in settings.listeners:
        if listener.tls == "implicit" and not world.tls.available():
            world.journal.record("listener.left-out", listener=listener.name, reason="no certificate")
            continue
        _listener(world, settings, listener).setServiceParent(service)
    return service


def _listener(world: World, settings: ImapSettings, listener: ImapListener) -> Any:
    site = make_site(world, settings, offers_tls=listener.tls == "starttls")
    factory: ConnectionFactory = DialogueFactory(
        Sessions(site),
        name=listener.name,
        reactor=world.reactor,
        journal=world.journal,
        tls=world.tls,
        implicit_tls=listener.tls == "implicit",
        limits=world.limits,
        greets_secured=True,  # the greeting tells the mechanisms, and which there are depends on TLS
    )
    places = [(place.host, place.port) for place in listener.listen]
    made: Any = Listener(factory, places, reactor=world.reactor, grace=world.settings.server.shutdown_timeout)
    made.setName(listener.name)
    return made
