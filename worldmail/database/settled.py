"""The awaitable of a read that failed at once."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NoReturn


class Failed:
    """`error`, as an awaitable: the twin of `worldmail.wire.ready.Ready`."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __await__(self) -> Generator[Any, Any, NoReturn]:
        raise self.error
        yield
