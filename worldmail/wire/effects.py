"""What a dialogue may ask of the driver that owns its connection.

A dialogue takes bytes and gives effects. Plain `bytes` mean "send this"; the
classes here are the rest. The driver carries effects out in their order and
puts consecutive bytes into one write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from attrs import field, frozen


@frozen
class Stream:
    """Send these chunks, waiting for the peer between them so that memory stays flat."""

    chunks: AsyncIterator[bytes]


@frozen
class Flush:
    """Send what is before it in a write of its own, and what is behind it no sooner than in the reactor's next round.

    For a peer that waits for the one with its own code and for the other in a poll of its socket.
    """


FLUSH = Flush()


@frozen
class StartTls:
    """Upgrade the connection to TLS now.

    Everything before it is sent first. If any byte from the peer is waiting, the
    connection is closed instead: it came in the clear (CVE-2011-0411's class).
    """


@frozen
class Compress:
    """From here on both directions are raw DEFLATE (RFC 1951, RFC 4978).

    Everything before it is sent as it is. If any byte from the peer is waiting, the connection
    is closed instead: nobody could say whether it is compressed.
    """


@frozen
class Decompress:
    """From here on neither direction is DEFLATE any more.

    Everything before it is sent compressed. The peer's stream may end there or just not go on. If anything that was
    compressed is waiting, the connection is closed instead.
    """


@frozen
class Later:
    """After so many seconds make this call, which may ask for a turn; not at all if the connection is gone then."""

    seconds: float
    call: Callable[[], None]


@frozen
class Become:
    """From here on the connection is another dialogue's (RFC 2645 §4: the ends exchange their parts). The last effect.

    A server is followed by a client, and the other way round. What is before it is sent first. The one that gave it
    is `closed`; the other is `opened` with the same peer, TLS and session id, and given what came and was not acted
    upon (`IPredecessor`). Nobody can start TLS after it.

    Args:
        dialogue: an `IDialogue`, not opened yet.
    """

    dialogue: Any


@frozen
class Close:
    """Send what is before it, then close; `reason` goes to the log record of the connection."""

    reason: str = field(default="finished")


Effect = bytes | Stream | Flush | StartTls | Compress | Decompress | Later | Become | Close
Effects = Sequence[Effect]
