"""Running a coroutine by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from worldmail.transport.steps import Steps
from worldmail.wire.ready import Ready


class Run:
    """A run and what it told."""

    def __init__(self, coroutine: Any) -> None:
        self.waits = 0
        self.ends: list[Exception | None] = []
        Steps(coroutine, self._waits, self.ends.append).go()

    def _waits(self) -> None:
        self.waits += 1


def test_what_is_there_is_not_waited_for_however_much_it_is() -> None:
    taken: list[int] = []

    async def many() -> None:
        for number in range(10_000):
            taken.extend([await Ready(2 * number), await succeed(2 * number + 1)])

    run = Run(many())
    assert run.ends == [None]
    assert run.waits == 0
    assert taken == list(range(20_000))


def test_it_goes_on_with_the_value_when_that_comes() -> None:
    waiting: Deferred[str] = Deferred()
    taken: list[str] = []

    async def one() -> None:
        taken.append(await waiting)

    run = Run(one())
    assert (run.waits, run.ends) == (1, [])
    waiting.callback("there")
    assert (taken, run.ends) == (["there"], [None])
    assert waiting.result == "there"


def test_a_failure_is_raised_where_it_was_awaited_and_may_be_caught() -> None:
    waiting: Deferred[None] = Deferred()
    caught: list[str] = []

    async def one() -> None:
        for deferred in (waiting, fail(ValueError("second"))):
            try:
                await deferred
            except ValueError as error:
                caught.append(str(error))

    run = Run(one())
    waiting.errback(ValueError("first"))
    assert caught == ["first", "second"]
    assert run.ends == [None]


def test_what_it_raises_is_told() -> None:
    error = ValueError("x")

    async def one() -> None:
        raise error

    assert Run(one()).ends == [error]


def test_a_chained_Deferred_is_waited_for_to_its_end() -> None:
    inner: Deferred[str] = Deferred()
    outer: Deferred[Any] = Deferred()
    outer.addCallback(lambda _: inner)
    taken: list[str] = []

    async def one() -> None:
        taken.append(await outer)

    run = Run(one())
    outer.callback(None)
    assert taken == []
    inner.callback("end")
    assert taken == ["end"]
    assert run.ends == [None]


def test_something_else_than_a_Deferred_is_refused() -> None:
    class Odd:
        def __await__(self) -> Any:
            yield "odd"

    async def one() -> None:
        await Odd()

    [end] = Run(one()).ends
    assert isinstance(end, TypeError)
