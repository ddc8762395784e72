"""An awaitable whose value is there already.

Interfaces return awaitables so that a provider may wait; on the hot path most of
them have the answer at hand. `await Ready(x)` is `x` and never suspends.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Ready(Generic[T]):
    """`value`, as an awaitable."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, T]:
        return self.value
        yield
