"""What was verified lately, so that frequent mail checks do not pay for argon2 each time.

Kept in memory, under a keyed hash of service, login and password (the key is random and dies with the process);
never the password. A login by way of one service says nothing for another, so that a right may one day hang on the
service. Right guesses are kept for a time and dropped when their account changes. Wrong ones are kept apart: the
same wrong password again, as a forgotten telephone sends it all day, tells a guesser nothing and need not count again.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from hashlib import blake2b

from attrs import define, field, frozen

from worldmail.interfaces.database import Notice
from worldmail.interfaces.directory import Account

_MAXIMUM_VERIFIED = 100_000
_MAXIMUM_WRONG = 20_000


@frozen
class Verified:
    """A right guess: whose, what stands for the account in the throttle's counters, and until when (seconds)."""

    account: Account
    counter: str
    expires: float


@define
class RecentLogins:
    """See the module's text. `keep_seconds` of 0 keeps nothing."""

    _keep_seconds: float
    _secret: bytes = field(factory=lambda: secrets.token_bytes(32), init=False, repr=False)
    _verified: OrderedDict[bytes, Verified] = field(factory=OrderedDict, init=False, repr=False)
    _of_account: dict[int, set[bytes]] = field(factory=dict, init=False, repr=False)
    _wrong: OrderedDict[bytes, tuple[int, int]] = field(factory=OrderedDict, init=False, repr=False)
    epoch: int = field(default=0, init=False)

    def fingerprint(self, service: str, login: str, password: str) -> bytes:
        """What stands for a guess. Service and login hold no NUL, so no two guesses read alike."""
        guess = f"{service}\0{login}\0{password}".encode("utf-8", "surrogatepass")
        return blake2b(guess, key=self._secret, digest_size=32).digest()

    def verified(self, fingerprint: bytes, now: float) -> Verified | None:
        """The right guess, if it was made lately; `now` in seconds that only grow."""
        found = self._verified.get(fingerprint)
        if found is None or found.expires > now:
            return found
        self._drop(fingerprint, found)
        return None

    def keep(self, fingerprint: bytes, account: Account, counter: str, now: float) -> None:
        """This guess was right just now."""
        if self._keep_seconds <= 0:
            return
        self._verified[fingerprint] = Verified(account, counter, now + self._keep_seconds)
        self._verified.move_to_end(fingerprint)
        self._of_account.setdefault(account.id, set()).add(fingerprint)
        while len(self._verified) > _MAXIMUM_VERIFIED:
            oldest = next(iter(self._verified))
            self._drop(oldest, self._verified[oldest])

    def was_wrong(self, fingerprint: bytes, account: Account | None) -> bool:
        """True if this very guess was wrong before, for the account as it still is."""
        return self._wrong.get(fingerprint) == _state(account)

    def note_wrong(self, fingerprint: bytes, account: Account | None) -> None:
        """This guess was wrong."""
        self._wrong[fingerprint] = _state(account)
        self._wrong.move_to_end(fingerprint)
        if len(self._wrong) > _MAXIMUM_WRONG:
            self._wrong.popitem(last=False)

    def account_changed(self, notice: Notice) -> None:
        """Drop what was verified for this account (key 0: for all)."""
        self.epoch += 1
        if notice.key == 0:
            self._verified.clear()
            self._of_account.clear()
            return
        for fingerprint in self._of_account.pop(notice.key, ()):
            del self._verified[fingerprint]

    def _drop(self, fingerprint: bytes, verified: Verified) -> None:
        del self._verified[fingerprint]
        siblings = self._of_account[verified.account.id]
        siblings.discard(fingerprint)
        if not siblings:
            del self._of_account[verified.account.id]


def _state(account: Account | None) -> tuple[int, int]:
    return (0, 0) if account is None else (account.id, account.generation)
