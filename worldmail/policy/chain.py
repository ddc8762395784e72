"""The chain of checks.

A check names the requests that it wants to be asked about, and costs nothing for the
others. Checks that settle at once are asked without a coroutine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from zope.interface import implementer

from worldmail.errors import ConfigurationError, Refusal, TemporaryFailure
from worldmail.interfaces.plugin import Foundations, IPolicyCheckPlugin
from worldmail.interfaces.policy import IPolicy, IPolicyCheck, PolicyRequest
from worldmail.interfaces.world import IJournal
from worldmail.plugin import find


@implementer(IPolicy)
class PolicyChain:
    """All checks, in their order.

    Args:
        checks: asked from the first to the last; the first refusal counts.
        journal: told of a check that failed, whatever it failed with: then nothing is decided,
            and the peer is asked to come again.
    """

    def __init__(self, checks: Iterable[IPolicyCheck], journal: IJournal) -> None:
        self._journal = journal
        self._checks: dict[type[Any], tuple[IPolicyCheck, ...]] = {}
        for check in checks:
            for kind in check.requests:
                self._checks[kind] = (*self._checks.get(kind, ()), check)

    def ask(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicy.ask`. The refusal's reason, which only the log sees, begins with the name of the check."""
        checks = self._checks.get(type(request))
        if checks is None:
            return None
        for number, check in enumerate(checks):
            try:
                waiting: Awaitable[None] | None = check.check(request)
            except Exception as error:
                raise self._told(check, error) from error
            if waiting is not None:
                return self._go_on(waiting, checks[number:], request)
        return None

    async def _go_on(
        self, waiting: Awaitable[None] | None, checks: Sequence[IPolicyCheck], request: PolicyRequest
    ) -> None:
        """Wait for the first of these checks, then ask the rest."""
        for number, check in enumerate(checks):
            try:
                if number:
                    waiting = check.check(request)
                if waiting is not None:
                    await waiting
            except Exception as error:
                raise self._told(check, error) from error

    def _told(self, check: IPolicyCheck, error: Exception) -> Refusal:
        """What the peer is told of what a check raised."""
        if not isinstance(error, Refusal):
            self._journal.failure("policy.check-failed", error, check=check.name)
            return TemporaryFailure(reason=f"{check.name}: failed")
        error.reason = f"{check.name}: {error.reason or error.reply_text}"
        return error


def policy_chain(foundations: Foundations) -> PolicyChain:
    """The chain of every installed check that the site did not switch off.

    Raises: ConfigurationError if [policy] names a check that is not installed.
    """
    settings = foundations.settings.policy
    plugins = {plugin.name: plugin for plugin in find(IPolicyCheckPlugin)}
    for name in (*settings.order, *settings.disabled):
        if name not in plugins:
            raise ConfigurationError(f"[policy] names the check {name!r}, which is not installed")
    places = {name: place for place, name in enumerate(settings.order)}

    def place(name: str) -> tuple[int, int, str]:
        return (places.get(name, len(places)), plugins[name].rank, name)

    names = [name for name in sorted(plugins, key=place) if name not in settings.disabled]
    return PolicyChain([plugins[name].create(foundations) for name in names], foundations.journal)
