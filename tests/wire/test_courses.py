"""Courses: coroutines that go on event by event."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from worldmail.wire.courses import Courses, next_event


class Given(Exception):
    """What a course is told."""


def test_a_course_gets_each_event_and_ends_by_itself() -> None:
    seen: list[object] = []

    async def course() -> None:
        seen.append(await next_event())
        seen.append(await next_event())

    courses = Courses()
    courses.course = course()
    for event in (None, "one", "two"):
        courses.act(event, Given())
    assert seen == ["one", "two"]
    assert courses.course is None
    courses.act("three", Given())


def test_what_else_it_awaits_is_waited_for_and_may_fail() -> None:
    waited: Deferred[str] = Deferred()
    refused: Deferred[str] = Deferred()
    seen: list[object] = []

    async def course() -> None:
        seen.append(await waited)
        with pytest.raises(Given):
            await refused
        seen.append(await next_event())

    courses = Courses()
    courses.course = course()
    driven = Deferred.fromCoroutine(courses.drive(None))
    assert not driven.called
    waited.callback("there")
    assert not driven.called
    refused.errback(Given())
    assert driven.called, "it awaits the next event"
    courses.act("event", Given())
    assert seen == ["there", "event"]


def test_where_nothing_can_be_waited_for_it_is_told_so() -> None:
    told: list[BaseException] = []

    async def course() -> None:
        try:
            await Deferred()
        except Given as error:
            told.append(error)

    courses = Courses()
    courses.course = course()
    courses.act(None, Given())
    assert len(told) == 1
    assert courses.course is None


def test_at_the_end_it_is_told_why() -> None:
    told: list[BaseException] = []

    async def course() -> None:
        try:
            await next_event()
        except Given as error:
            told.append(error)

    courses = Courses()
    courses.course = course()
    courses.act(None, Given())
    courses.end(Given())
    courses.end(Given())
    assert len(told) == 1
    assert not courses.acting


def test_what_it_raises_ends_it() -> None:
    async def course() -> None:
        await next_event()
        raise Given

    courses = Courses()
    courses.course = course()
    courses.act(None, Given())
    driven = Deferred.fromCoroutine(courses.drive("event"))
    failure: list[object] = []
    driven.addErrback(lambda reason: failure.append(reason.value))
    assert isinstance(failure[0], Given)
    assert courses.course is None
