"""Whether the customer of a turn is there: when it was heard last, and the question (NOOP)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import Factory, define, field

from worldmail.interfaces.outbound import HopFailed, IHandedOver

GREETS = 30.0
"""Seconds in which a customer should greet and say what it knows. Later, another turn may take its place; so it may
where a site of a pair was silent for so long with messages under way: that has one at a time, and takes none twice."""


@define(kw_only=True, eq=False)
class Presence:
    """Of one customer.

    Args:
        seconds: a clock that only grows.
        stay: seconds of silence after which something is said.

    Attributes:
        heard: when it answered last, or was spoken to after a silence.
        asking: it was asked, and has not answered.
        doubted: it has begun another turn, perhaps at another server.
    """

    conversation: IHandedOver
    seconds: Callable[[], float]
    stay: int
    heard: float = field(default=Factory(lambda self: self.seconds(), takes_self=True), init=False)
    asking: bool = field(default=False, init=False)
    doubted: bool = field(default=False, init=False)

    @property
    def is_silent(self) -> bool:
        """It was for so long that another turn may take the place of this one."""
        return self.seconds() >= self.heard + GREETS

    @property
    def look_at(self) -> float:
        """When there may be something to do about it."""
        return self.heard + (min(GREETS, self.stay) if self.doubted else self.stay)

    def is_heard(self) -> None:
        """It answers, or is to."""
        self.heard = self.seconds()

    async def beat(self) -> None:
        """Ask it, if it is time. Raises `HopFailed` if it is gone."""
        if self.seconds() >= self.heard + self.stay:
            await self.ask()

    async def ask(self) -> None:
        """Ask it now, if it can be asked. Raises `HopFailed` if it is gone: nothing of its connection is waited for."""
        if not self.conversation.usable:
            return
        self.asking = True
        try:
            await self.conversation.beat()
        except HopFailed:
            self.conversation.abort()
            raise
        finally:
            self.asking = False
        self.is_heard()
