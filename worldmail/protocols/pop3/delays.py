"""The shortest time between two logins of an account (LOGIN-DELAY, RFC 2449 §6.5)."""

from __future__ import annotations

from attrs import define, field

from worldmail.errors import LoginTooSoon

_PRUNE_ABOVE = 1024


@define
class LoginDelays:
    """When accounts last signed in, as this process knows.

    Args:
        delay: seconds between two logins of an account; 0 keeps and refuses nothing.
    """

    delay: float
    _until: dict[int, float] = field(factory=dict, init=False)

    def check(self, account_id: int, now: float) -> None:
        """Raise `LoginTooSoon` if it is. `now` is seconds of a clock that only grows."""
        if self.delay and self._until.get(account_id, now) > now:
            raise LoginTooSoon

    def signed_in(self, account_id: int, now: float) -> None:
        """The account was let in."""
        if not self.delay:
            return
        if len(self._until) > _PRUNE_ABOVE:
            self._until = {known: until for known, until in self._until.items() if until > now}
        self._until[account_id] = now + self.delay
