"""A client's conversation on which one course follows another, as they are wanted."""

from __future__ import annotations

from abc import abstractmethod

from worldmail.wire.client.dialogue import C, CourseDialogue
from worldmail.wire.effects import Effects
from worldmail.wire.wakes import WAKE


class WokenDialogue(CourseDialogue[C]):
    """The first course opens it; `next_event` says by `WAKE` that another may begin, or say something ahead."""

    __slots__ = ("_opened",)

    def __init__(self, channel: C) -> None:
        super().__init__(channel)
        self._opened = False  # and signed in as was asked

    @property
    def server(self) -> str:
        """The server as log and trace name it."""
        return self._channel.server

    async def handle(self, event: object) -> Effects:
        """Go on."""
        courses = self._courses
        courses.acting = True
        try:
            if event is WAKE:
                if courses.course is not None:
                    await self._go_ahead()
                    return self._channel.taken()
                self._begin()
                event = None
            elif courses.course is None:
                self._unasked(event)
            await courses.drive(event)
        finally:
            courses.acting = False
        return self._channel.taken()

    def timed_out(self) -> Effects:
        """See `IDialogue.timed_out`: where nothing is under way we say goodbye; who does not answer is left."""
        if self._courses.course is None and self._channel.GOODBYE:
            return (self._channel.GOODBYE,)
        return super().timed_out()

    # --- courses ---------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._enter()
        except Exception as error:
            if not self._tell(self._ready, error):
                raise
        else:
            self._opened = True
            self._ready.callback(None)

    @abstractmethod
    async def _enter(self) -> None:
        """From the greeting to where it can be used. Raises `FAILED`, `LOST` of its channel."""

    @abstractmethod
    def _begin(self) -> None:
        """Make the next course that of the conversation."""

    @abstractmethod
    async def _go_ahead(self) -> None:
        """Say what may be said before what is under way has come to its end."""

    def _unasked(self, event: object) -> None:
        """The server speaks where nobody asked it anything."""
        self._channel.drop("the server spoke unasked")

    def _want_turn(self) -> None:
        """There is something to begin, or to say ahead."""
        if not self._courses.acting and self.peer is not None:
            self.peer.wake()
