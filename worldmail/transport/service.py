"""A protocol as a service: one listener for each of its settings'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from twisted.application.service import MultiService

from worldmail.config.fields import Listen
from worldmail.interfaces.protocol import IDialogue
from worldmail.interfaces.world import World
from worldmail.transport.driver import DialogueFactory
from worldmail.transport.factory import ConnectionFactory
from worldmail.transport.listen import Listener

_MULTI_SERVICE: Any = MultiService  # its methods have no annotations


class DialogueService(MultiService):
    """A protocol's listeners.

    Attributes:
        left_out: the places of those that were not made, for want of a certificate.
    """

    def __init__(self, name: str) -> None:
        _MULTI_SERVICE.__init__(self)
        _MULTI_SERVICE.setName(self, name)
        self.left_out: set[tuple[tuple[str, int], ...]] = set()


class ListenerSettings(Protocol):
    """One place where a protocol is spoken."""

    @property
    def name(self) -> str:
        """Its name in the log."""

    @property
    def listen(self) -> Sequence[Listen]:
        """The addresses and ports."""

    @property
    def tls(self) -> str:
        """How TLS comes there: starttls, implicit or off."""


L = TypeVar("L", bound=ListenerSettings)


def dialogue_service(
    name: str,
    world: World,
    listeners: Iterable[L],
    dialogues: Callable[[L], Callable[[], IDialogue]],
    *,
    greets_secured: bool = False,
) -> DialogueService:
    """Serves a protocol wherever the settings say. An implicit listener without a certificate is left out.

    Args:
        dialogues: what makes the dialogues of a listener.
        greets_secured: where TLS comes first, the greeting waits for it.
    """
    service = DialogueService(name)
    for listener in listeners:
        if listener.tls == "implicit" and not world.tls.available():
            world.journal.record("listener.left-out", listener=listener.name, reason="no certificate")
            service.left_out.add(_places(listener))
            continue
        factory: ConnectionFactory = DialogueFactory(
            dialogues(listener),
            name=listener.name,
            reactor=world.reactor,
            journal=world.journal,
            tls=world.tls,
            implicit_tls=listener.tls == "implicit",
            limits=world.limits,
            greets_secured=greets_secured,
        )
        _listener(world, factory, listener).setServiceParent(service)
    return service


def _listener(world: World, factory: ConnectionFactory, listener: ListenerSettings) -> Any:
    grace = world.settings.server.shutdown_timeout
    made: Any = Listener(factory, _places(listener), reactor=world.reactor, grace=grace)
    made.setName(listener.name)
    return made


def _places(listener: ListenerSettings) -> tuple[tuple[str, int], ...]:
    return tuple((place.host, place.port) for place in listener.listen)
