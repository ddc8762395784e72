"""How much one account may send in an hour: what a stolen password is worth to a spammer."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import define, field
from zope.interface import implementer

from worldmail.errors import TooManyRequests
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, MessageRequest, PolicyRequest, RecipientRequest
from worldmail.interfaces.world import IClock

HOUR = 3600.0


@define
class Window:
    """Counts over the last hour, from two hours' counters: the old one fades as the new one fills."""

    began: float
    before: int = 0
    now: int = 0

    def count(self, at: float) -> float:
        """How many within the hour up to `at`."""
        passed = at - self.began
        if passed >= HOUR:
            self.before = self.now if passed < 2 * HOUR else 0
            self.now = 0
            self.began += passed - passed % HOUR
            passed %= HOUR
        return self.now + self.before * (1 - passed / HOUR)


@implementer(IPolicyCheck)
@define
class RatesCheck:
    """Messages and recipients an hour of each account that signed in. Counted in this process, since its start."""

    clock: IClock
    messages: int
    recipients: int
    name: str = field(default="rates", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest, MessageRequest), init=False)
    _windows: dict[tuple[type[PolicyRequest], int], Window] = field(factory=dict, init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        account = request.asker.account
        limit = self.recipients if isinstance(request, RecipientRequest) else self.messages
        if account is None or not limit:
            return None
        at = self.clock.seconds()
        key = (type(request), account.id)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window(at)
        if window.count(at) >= limit:
            raise TooManyRequests("Too much mail in this hour, please try again later", code=450, enhanced="4.7.1")
        window.now += 1
        return None


def rates_check(foundations: Foundations) -> RatesCheck:
    """The check."""
    settings = foundations.settings.policy
    return RatesCheck(foundations.clock, settings.messages_per_hour, settings.recipients_per_hour)
