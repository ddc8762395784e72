"""What a client does, as coroutines: each says things and awaits the answers, in the order of its protocol.

A dialogue gets events one at a time, whenever they come. A coroutine that awaits an event which is not there yet
yields `NEXT` to `Courses`, which lets it go on when the event comes; everything else that it yields is a Deferred, to
be waited for as it is.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from contextlib import suppress
from typing import Any, Protocol

NEXT = object()

Course = Coroutine[Any, Any, None]


class Promise(Protocol):
    """An awaitable that is kept later, once. A Deferred is one."""

    def callback(self, value: Any) -> None:
        """This is it."""

    def errback(self, error: BaseException) -> None:
        """It comes to nothing."""

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for it."""


@types.coroutine
def next_event() -> Generator[Any, Any, Any]:
    """What happens next; in a course."""
    return (yield NEXT)


class Courses:
    """One after another, over the events of one connection.

    Attributes:
        course: what is under way.
        acting: it is having a turn: what it asks for now is seen to behind it.
    """

    __slots__ = ("acting", "course")

    def __init__(self) -> None:
        self.course: Course | None = None
        self.acting = False

    @types.coroutine
    def drive(self, event: object) -> Generator[Any, Any, None]:
        """Let the course go on with this event until it awaits the next; all else that it awaits, we await.

        What it raises is raised here, and ends it.
        """
        course = self.course
        if course is None:
            return
        try:
            waited = course.send(event)
            while waited is not NEXT:
                try:
                    given = yield waited
                except Exception as error:  # noqa: BLE001  it is the course's
                    waited = course.throw(error)
                else:
                    waited = course.send(given)
        except BaseException as error:
            self.course = None
            if not isinstance(error, StopIteration):
                raise

    def act(self, event: object, otherwise: Exception) -> None:
        """The same where nothing can be waited for: a course that has to is told `otherwise`."""
        course = self.course
        if course is None:
            return
        self.acting = True
        try:
            if course.send(event) is not NEXT:
                course.throw(otherwise)
        except StopIteration:
            self.course = None
        finally:
            self.acting = False

    def end(self, why: Exception) -> None:
        """Nothing comes any more: the course is told why, and ends."""
        course, self.course = self.course, None
        if course is not None:
            self.acting = True
            try:
                with suppress(StopIteration):
                    course.throw(why)
            finally:
                self.acting = False
