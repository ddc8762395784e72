"""POP3 as a service: one listener for each of the settings'."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService

from worldmail.interfaces.world import World
from worldmail.protocols.pop3.delays import LoginDelays
from worldmail.protocols.pop3.sessions import Sessions, make_site
from worldmail.protocols.pop3.settings import Pop3Listener, Pop3Settings
from worldmail.transport.driver import DialogueFactory
from worldmail.transport.factory import ConnectionFactory
from worldmail.transport.listen import Listener

_MULTI_SERVICE: Any = MultiService  # its methods have no annotations


def pop3_service(world: World, settings: Pop3Settings) -> Any:
    """Serves POP3 wherever the settings say. An implicit listener without a certificate is left out."""
    service = _MULTI_SERVICE()
    service.setName("pop3")
    delays = LoginDelays(settings.login_delay)
    for listener in settings.listeners:
        if listener.tls == "implicit" and not world.tls.available():
            world.journal.record("listener.left-out", listener=listener.name, reason="no certificate")
            continue
        _listener(world, settings, listener, delays).setServiceParent(service)
    return service


def _listener(world: World, settings: Pop3Settings, listener: Pop3Listener, delays: LoginDelays) -> Any:
    site = make_site(world, settings, delays=delays, offers_tls=listener.tls == "starttls")
    factory: ConnectionFactory = DialogueFactory(
        Sessions(site),
        name=listener.name,
        reactor=world.reactor,
        journal=world.journal,
        tls=world.tls,
        implicit_tls=listener.tls == "implicit",
        limits=world.limits,
    )
    places = [(place.host, place.port) for place in listener.listen]
    grace = world.settings.server.shutdown_timeout
    made: Any = Listener(factory, places, reactor=world.reactor, grace=grace)
    made.setName(listener.name)
    return made
