"""What conversations are given from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Protocol

from attrs import field, frozen

from worldmail.interfaces.world import Aside, IClock, IJournal


class Promise(Protocol):
    """An awaitable that is kept later, once. A Deferred is one."""

    def callback(self, value: Any) -> None:
        """This is it."""

    def errback(self, error: BaseException) -> None:
        """It comes to nothing."""

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for it."""


Conversion = Callable[[Callable[[], AsyncIterator[bytes]]], AsyncIterator[bytes]]
"""Makes other content of what can be read any number of times."""


@frozen(kw_only=True)
class Conversions:
    """How content is made fit for a peer that cannot take it as it is (RFC 6152 §3, RFC 3030 §3).

    Args:
        seven_bit: 8bit and binary parts in an encoding of 7-bit lines.
        eight_bit: binary parts in lines.
        impossible: what both raise where it would break the message, a signature above all.
    """

    seven_bit: Conversion
    eight_bit: Conversion
    impossible: type[Exception]


@frozen(kw_only=True)
class Patience:
    """Seconds the peer may take (RFC 5321 §4.5.3.2), by what is waited for."""

    greeting: float = 300.0
    hello: float = 300.0
    login: float = 300.0
    mail: float = 300.0
    recipient: float = 300.0
    data: float = 120.0
    block: float = 180.0
    content: float = 600.0
    goodbye: float = 10.0
    idle: float = 300.0


@frozen(kw_only=True)
class Means:
    """What all conversations share.

    Args:
        promise: makes a promise; `twisted.internet.defer.Deferred`.
        aside: runs what takes long where it keeps nobody waiting.
        nonce: makes visible ASCII without a comma that was never used before.
        recipients: the most recipients of a transaction (RFC 5321 §4.5.3.1.8 has 100, which all must take).
        one_flight: content of at most so many octets goes with MAIL and RCPT, before their replies came.
    """

    clock: IClock
    journal: IJournal
    promise: Callable[[], Promise]
    conversions: Conversions
    aside: Aside
    nonce: Callable[[], str]
    patience: Patience = field(factory=Patience)
    recipients: int = 1000
    one_flight: int = 64 * 1024
