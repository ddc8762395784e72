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
    _logins: dict[int, float] = field(factory=dict, init=False)

    def check(self, account_id: int, now: float) -> None:
        """Raise `LoginTooSoon` if it is. `now` is seconds of a clock that only grows."""
        last = self._logins.get(account_id)
        if self.delay and last is not None and now < last + self.delay:
            raise LoginTooSoon

    def signed_in(self, account_id: int, now: float) -> None:
        """The account was let in."""
        if not self.delay:
            return
        if len(self._logins) > _PRUNE_ABOVE:
            for known in [known for known, last in self._logins.items() if last + self.delay <= now]:
                del self._logins[known]
        self._logins[account_id] = now

    def continue_from(self, other: LoginDelays) -> None:
        """Share what `other` knows, from now on: sessions that go on by old settings note their logins there."""
        self._logins = other._logins
