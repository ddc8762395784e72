"""How many connections and how much work one address, one account, and all together, may cause.

An address is an IPv4 address, or the /64 that an IPv6 address lies in: what one customer has.
Counters live in this process, are bounded in number, and forget an address a minute after its last act.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

from attrs import define, field

from worldmail.wire.networks import NetworkSet, packed_address

MINUTE = 60.0
LATELY = 3600.0
"""Seconds after a login in which TLS sessions from its address are not counted against it."""

PRUNE_AT = 10_000
"""Addresses remembered before those without connections are looked through."""


def address_key(host: str) -> bytes:
    """What counts as one address: 4 octets for IPv4 (also mapped into IPv6), the first 8 for IPv6; text if neither."""
    packed = packed_address(host)
    return host.encode("utf-8", "surrogateescape") if packed is None else packed[:8]


@define
class Usage:
    """What one address does: open connections, this minute's acts, and when an account last signed in from it."""

    connections: int = 0
    since: float = 0.0
    handshakes: int = 0
    events: int = 0
    signed_in: float = 0.0


@define(kw_only=True)
class Limits:
    """Counts and says no. 0 means no limit.

    Args:
        connections: open connections of one address.
        total: open connections in all.
        handshakes: new TLS sessions of one address within a minute.
        events: commands (events of dialogues) of one address within a minute.
        accounts: sessions that one account may have at once, over all protocols.
        exempt: networks to which only `total` applies.
    """

    connections: int = 50
    total: int = 10_000
    handshakes: int = 600
    events: int = 0
    accounts: int = 0
    exempt: tuple[IPv4Network | IPv6Network, ...] = ()
    seconds: Callable[[], float] = time.monotonic
    open: int = field(default=0, init=False)
    _usage: dict[bytes, Usage] = field(factory=dict, init=False)
    _sessions: dict[int, int] = field(factory=dict, init=False)
    _exempt: NetworkSet = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._exempt = NetworkSet(self.exempt)

    def reconfigure(self, other: Limits) -> None:
        """Take the figures of another; what is counted stays."""
        self.connections, self.total = other.connections, other.total
        self.handshakes, self.events, self.accounts = other.handshakes, other.events, other.accounts
        self.exempt, self._exempt = other.exempt, other._exempt

    def is_exempt(self, host: str) -> bool:
        """True in one of the exempt networks."""
        return host in self._exempt

    def admit(self, host: str, exempt: bool = False) -> str | None:
        """Count a new connection (whatever the answer); None, or why it is one too many."""
        self.open += 1
        usage = self._of(host)
        usage.connections += 1
        if self.total and self.open > self.total:
            return "too many connections"
        if self.connections and usage.connections > self.connections and not exempt:
            return "too many connections from your address"
        return None

    def release(self, host: str) -> None:
        """A connection that `admit` counted is gone."""
        self.open -= 1
        usage = self._usage.get(address_key(host))
        if usage is not None:
            usage.connections -= 1
            if not (usage.connections or usage.handshakes or usage.events or usage.signed_in):
                del self._usage[address_key(host)]

    def may_secure(self, host: str) -> bool:
        """Count a new TLS session; False if it is one too many."""
        usage = self._this_minute(host)
        if usage.signed_in and self.seconds() - usage.signed_in < LATELY:
            return True
        usage.handshakes += 1
        return not self.handshakes or usage.handshakes <= self.handshakes

    def spend(self, host: str, events: int) -> bool:
        """Count commands; False if there are too many this minute."""
        if not self.events:
            return True
        usage = self._this_minute(host)
        usage.events += events
        return usage.events <= self.events

    def sign_in(self, account_id: int, host: str) -> bool:
        """Count a session of this account; False (and not counted) if it is one too many. `sign_out` ends it."""
        sessions = self._sessions.get(account_id, 0)
        if self.accounts and sessions >= self.accounts and not self.is_exempt(host):
            return False
        self._sessions[account_id] = sessions + 1
        self._of(host).signed_in = self.seconds()
        return True

    def sign_out(self, account_id: int) -> None:
        """A session that `sign_in` counted is over."""
        left = self._sessions.get(account_id, 0) - 1
        if left > 0:
            self._sessions[account_id] = left
        else:
            self._sessions.pop(account_id, None)

    def _of(self, host: str) -> Usage:
        key = address_key(host)
        usage = self._usage.get(key)
        if usage is None:
            if len(self._usage) >= PRUNE_AT:
                self._prune()
            usage = self._usage[key] = Usage()
        return usage

    def _this_minute(self, host: str) -> Usage:
        usage, now = self._of(host), self.seconds()
        if now - usage.since >= MINUTE:
            usage.since, usage.handshakes, usage.events = now, 0, 0
        return usage

    def _prune(self) -> None:
        """Forget addresses that do nothing now; under a flood, all without connections."""
        now = self.seconds()
        for minute in (MINUTE, 0.0):
            for key in [k for k, u in self._usage.items() if not u.connections and now - u.since >= minute]:
                del self._usage[key]
            if len(self._usage) < PRUNE_AT:
                return
