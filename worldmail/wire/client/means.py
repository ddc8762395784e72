"""What the conversations of a client are given from outside."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from worldmail.wire.courses import Promise
from worldmail.wire.sasl.scram import Aside


@frozen(kw_only=True)
class ClientMeans:
    """What all conversations share.

    Args:
        promise: makes a promise; `twisted.internet.defer.Deferred`.
        aside: runs what takes long where it keeps nobody waiting.
        nonce: makes visible ASCII without a comma that was never used before.
    """

    promise: Callable[[], Promise]
    aside: Aside
    nonce: Callable[[], str]


@frozen(kw_only=True)
class Patience:
    """Seconds the server may take: to be signed in to, and else."""

    opening: float = 60.0
    answer: float = 300.0
    goodbye: float = 60.0


@frozen(kw_only=True)
class Means(ClientMeans):
    """What conversations of commands that each have an answer share.

    Args:
        window: commands that may be on their way before the first was answered, if the server can have that.
    """

    patience: Patience = field(factory=Patience)
    window: int = 32
