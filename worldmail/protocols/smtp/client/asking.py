"""One connection on which a server is asked for something, and no mail is handed to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from zope.interface import implementer

from worldmail.interfaces.outbound import Hop, HopFailed, IConnector
from worldmail.interfaces.protocol import IDialogue, IFinishing, Peer
from worldmail.protocols.smtp.client.between import say_goodbye
from worldmail.protocols.smtp.client.channel import Channel, Lost
from worldmail.protocols.smtp.client.means import Means
from worldmail.protocols.smtp.client.opening import open_conversation
from worldmail.protocols.smtp.client.ways import open_somewhere
from worldmail.wire.client.dialogue import CourseDialogue
from worldmail.wire.effects import Effects

T = TypeVar("T")

Asked = Callable[[Channel], Awaitable[T]]
"""What is said once the conversation is open (`opening`). It gives its result, raises `HopFailed` or `Lost`."""


async def ask_server(connector: IConnector, means: Means, hop: Hop, course: Asked[T]) -> T:
    """The result of a course, on a connection of its own, at the first of the hop's addresses that can be spoken to.

    Raises: `HopFailed`.
    """
    dialogue = await open_somewhere(connector, hop, lambda hop: AskingDialogue(hop, means, course))
    try:
        return await dialogue.result()
    except HopFailed:
        raise
    except BaseException:
        dialogue.abort()  # nobody waits for it any more
        raise


@implementer(IDialogue, IFinishing)
class AskingDialogue(CourseDialogue[Channel], Generic[T]):
    """The client's side of it."""

    __slots__ = ("_asking", "_course", "_result")

    peer: Peer | None

    def __init__(self, hop: Hop, means: Means, course: Asked[T]) -> None:
        super().__init__(Channel(hop, means))
        self._course = course
        self._result = means.promise()
        self._asking = False  # it was opened, and waits for nobody

    async def result(self) -> T:
        """What the course gives, once it is ready. Raises `HopFailed`. To be called once."""
        result: T = await self._result
        return result

    def shutting_down(self) -> Effects:
        """See `IFinishing`."""
        return self._end(Lost("We are stopping", "4.3.2"))

    async def _run(self) -> None:
        channel = self._channel
        try:
            await open_conversation(channel)
            self._asking = True
            self._ready.callback(None)
            result = await self._course(channel)
        except Exception as error:
            if not self._tell(self._result if self._asking else self._ready, error):
                raise
        else:
            self._result.callback(result)
            await say_goodbye(channel)
