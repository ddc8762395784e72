"""While the server runs: a relay hears of a new user within seconds, not when mail is fetched the next time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from worldmail.errors import WorldMailError
from worldmail.interfaces.database import IChanges, Notice
from worldmail.interfaces.ondemand import Agent, ILinks, LinkState
from worldmail.interfaces.pairs import End, IPairs
from worldmail.ondemand.pair_entries import PAIRS
from worldmail.ondemand.pair_push import RecipientPush

_log = Logger()

SOON = 2.0
"""Seconds from a change on in which others may come."""

SELDOM = 900.0
"""Seconds after which it is looked anyway: how full mailboxes are is no change of the directory."""

_TOPICS = ("account", "address", "domain", PAIRS.noun)
_SERVICE: Any = Service  # its methods have no annotations


class PairWatch(Service):
    """Has `RecipientPush` look when the directory changed, and now and then.

    Args:
        agent: the agent of this name with its password; raises `NoSuchThing`.
        links: an agent whose link is down tells when it fetches.
        later: `reactor.callLater`.
    """

    def __init__(
        self,
        *,
        push: RecipientPush,
        pairs: IPairs,
        agent: Callable[[str], Awaitable[Agent]],
        links: ILinks,
        changes: IChanges,
        later: Callable[..., Any],
    ) -> None:
        self._push = push
        self._pairs = pairs
        self._agent = agent
        self._links = links
        self._changes = changes
        self._later = later
        self._cancels: list[Callable[[], None]] = []
        self._timer: Any = None
        self._looking: Deferred[None] | None = None
        self._again = False

    def startService(self) -> None:
        """Begin."""
        _SERVICE.startService(self)
        self._cancels = [self._changes.subscribe(topic, self._changed) for topic in _TOPICS]
        self._push.changed = self._changed
        self._arm(SOON)

    def stopService(self) -> Any:
        """End."""
        _SERVICE.stopService(self)
        self._push.changed = lambda: None
        for cancel in self._cancels:
            cancel()
        self._cancels = []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            self._looking.cancel()
            return self._looking
        return None

    def _changed(self, notice: Notice | None = None) -> None:
        if self._looking is not None:
            self._again = True
        elif self._timer is None or self._timer.getTime() - self._timer.seconds() > SOON:
            self._arm(SOON)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        self._again = False
        self._looking = Deferred.fromCoroutine(self._tell_all())
        self._looking.addBoth(self._looked)

    def _looked(self, result: object) -> None:
        self._looking = None
        if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
            _log.failure("telling relays whom we have", result)
        if self.running:
            self._arm(SOON if self._again else SELDOM)

    async def _tell_all(self) -> None:
        if not self._links.driving:  # of several servers one tells, else nobody knows what the relay heard last
            self._again = True
            return
        for pair in self._pairs.pairs():
            if pair.end is not End.SITE:
                continue
            try:
                agent = await self._agent(pair.name)
            except WorldMailError:  # removed, or not to be read: then nothing is fetched there either
                continue
            if agent.enabled and self._links.state(agent.link) is LinkState.UP:
                await self._push.tell(agent)
