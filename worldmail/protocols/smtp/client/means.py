"""What conversations are given from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from attrs import field, frozen

from worldmail.interfaces.world import IClock, IJournal
from worldmail.wire.client.means import ClientMeans

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
    beat: float = 30.0


@frozen(kw_only=True)
class Means(ClientMeans):
    """What all conversations share.

    Args:
        recipients: the most recipients of a transaction (RFC 5321 §4.5.3.1.8 has 100, which all must take).
        ahead: transactions that may be said behind one whose replies are awaited, to peers that take whole messages in
            one flight (RFC 2920 §3.1 names no BDAT, RFC 3030 §4.2 shows it).
        one_flight: content of at most so many octets goes with MAIL and RCPT, before their replies came.
    """

    clock: IClock
    journal: IJournal
    conversions: Conversions
    patience: Patience = field(factory=Patience)
    recipients: int = 1000
    ahead: int = 0
    one_flight: int = 64 * 1024
