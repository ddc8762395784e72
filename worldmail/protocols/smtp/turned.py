"""A session on a connection that we opened: its other end handed us the server's part (RFC 2645 §4)."""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, field

from worldmail.mail.envelope import Turned
from worldmail.wire.courses import Promise

NOT_HERE = frozenset((b"STARTTLS", b"AUTH", b"ATRN", b"ETRN", b"XJOIN", b"XRECIPIENTS"))
"""What is not to be had in such a session: who we are to each other was settled before."""

MET_AGAIN = 30.0
"""Seconds after which a relay that is heard counts as met anew."""

GOODBYE = "quit"
"""Why a connection ends whose client said QUIT."""


@define(kw_only=True, eq=False)
class Turn:
    """How such a session came about, and what it has come to.

    Args:
        turned: the relay and the agent.
        met: called when the relay names itself, and when it is heard again: it is there, and within reach.
        now: seconds of a clock that is never set.
        wake: asks the connection's driver for a turn; set when the session is opened.
        pair: the name of the pair that the relay is the other end of; None if it is any server.
        silence: seconds that the relay may be silent; None for as long as others may.
        stands: called behind `met`, where the connection stays open.

    Attributes:
        greeted: the relay has named itself.
        messages: how many were accepted.
        leaving: we end it as soon as no message is under way.
        ended: why the connection is gone; None while it is there.
    """

    turned: Turned
    promise: Callable[[], Promise]
    pair: str | None = None
    silence: float | None = None
    met: Callable[[], None] = lambda: None
    now: Callable[[], float] = time.monotonic
    stands: Callable[[], None] = lambda: None
    greeted: bool = field(default=False, init=False)
    messages: int = field(default=0, init=False)
    leaving: bool = field(default=False, init=False)
    ended: str | None = field(default=None, init=False)
    wake: Callable[[], None] = field(default=lambda: None, init=False)
    abort: Callable[[str], None] = field(default=lambda reason: None, init=False)
    _waiting: list[Promise] = field(factory=list, init=False)
    _met_at: float = field(default=0.0, init=False)

    async def over(self) -> str:
        """Wait for its end: why."""
        if self.ended is None:
            waiting = self.promise()
            self._waiting.append(waiting)
            await waiting
        assert self.ended is not None
        return self.ended

    def greet(self) -> None:
        """The relay named itself."""
        if not self.greeted:
            self.greeted = True
            self._met_at = self.now()
            self.met()
            self.stands()

    def heard(self) -> None:
        """It says something: a connection that stays may outlive a time in which the relay could not be reached."""
        if self.greeted and self.now() - self._met_at >= MET_AGAIN:
            self._met_at = self.now()
            self.met()

    def leave(self) -> None:
        """End it: at once, or after the message that is under way; a second time, whatever is under way."""
        if self.leaving:
            self.abort("left")
        else:
            self.leaving = True
            self.wake()

    def is_cut_off(self) -> bool:
        """The relay is silent: where it had agreed not to be, nobody is there to hear last words."""
        if self.silence is not None:
            self.abort("timed out")
        return self.silence is not None

    def end(self, reason: str) -> None:
        """The connection is gone, or never was there."""
        self.ended = reason
        waiting, self._waiting = self._waiting, []
        for promise in waiting:
            promise.callback(None)
