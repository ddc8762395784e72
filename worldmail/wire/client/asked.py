"""A client's conversation of commands that are asked for at any time, each with an answer that somebody waits for."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from attrs import define

from worldmail.wire.client.channel import ClientChannel
from worldmail.wire.client.means import Means
from worldmail.wire.client.woken import WokenDialogue
from worldmail.wire.courses import Promise
from worldmail.wire.effects import Effects
from worldmail.wire.wakes import WAKE


class AskedChannel(ClientChannel):
    """One such conversation, as its coroutines see it."""

    __slots__ = ()

    means: Means


A = TypeVar("A", bound=AskedChannel)


@define(eq=False)
class _Asked:
    """How a command is said and its answer is heard, and who waits for that."""

    say: Callable[[], None]
    hear: Callable[[], Coroutine[Any, Any, Any]]
    promise: Promise
    said: bool = False


class AskedDialogue(WokenDialogue[A]):
    """Commands go out as they are asked for, some before those in front were answered; answers are heard in order."""

    __slots__ = ("_asked", "_lost")

    def __init__(self, channel: A) -> None:
        super().__init__(channel)
        self._asked: deque[_Asked] = deque()
        self._lost: Exception | None = None

    def next_event(self) -> object | None:
        """The next that the server says, or that there is something to say."""
        if self._channel.over:
            return None
        if self._asked and (self._courses.course is None or self._sayable()):
            return WAKE
        return self._channel.reader.take()

    def shutting_down(self) -> Effects:
        """See `IDialogue.shutting_down`."""
        return self._end(self._channel.lost("4.3.2", "This server stops"))

    @abstractmethod
    def _window(self) -> int:
        """How many commands may be on their way now."""

    def _ask(self, say: Callable[[], None], hear: Callable[[], Coroutine[Any, Any, Any]]) -> Awaitable[Any]:
        """The answer to a command: what `hear` gives or raises.

        Args:
            say: says it; called when it may go out.
            hear: hears the answer, when those to all before it were heard.
        """
        promise = self._channel.means.promise()
        if self._lost is not None or self._channel.over or not self._opened:
            promise.errback(self._lost or self._channel.lost("4.4.2", "The conversation is over"))
            return promise
        self._asked.append(_Asked(say, hear, promise))
        self._want_turn()
        return promise

    def _begin(self) -> None:
        self._say()
        self._courses.course = self._hear(self._asked[0])

    async def _go_ahead(self) -> None:
        self._say()

    def _sayable(self) -> list[_Asked]:
        """The commands that may go out now."""
        return [asked for _, asked in zip(range(self._window()), self._asked, strict=False) if not asked.said]

    def _say(self) -> None:
        for asked in self._sayable():
            asked.said = True
            asked.say()

    async def _hear(self, asked: _Asked) -> None:
        try:
            result = await asked.hear()
        except self._channel.LOST as lost:
            self._fail(lost)
        except Exception as error:  # noqa: BLE001  whatever it is, it is the asker's
            self._asked.popleft()
            asked.promise.errback(error)
        else:
            self._asked.popleft()
            asked.promise.callback(result)

    def _end(self, lost: Exception) -> Effects:
        self._courses.end(lost)
        self._fail(lost)
        return self._channel.taken()

    def _fail(self, lost: Exception) -> None:
        """All who wait are told."""
        self._channel.drop(str(lost))
        self._lost = self._lost or lost
        asked, self._asked = self._asked, deque()
        for one in asked:
            one.promise.errback(lost)
