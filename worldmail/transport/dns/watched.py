"""A small file of the system that is read again when it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from attrs import define, field

LOOK_SECONDS = 2.0
MAXIMUM_OCTETS = 256 * 1024
"""What lies behind is not read, since the reactor waits for it."""

Value = TypeVar("Value")


@define(kw_only=True)
class WatchedFile(Generic[Value]):
    """What a file says now, or said at most `LOOK_SECONDS` ago. One that is not there says nothing.

    Args:
        path: where it is.
        parse: makes a value of its text; never fails.
        seconds: the time, monotonic.
    """

    path: Path
    parse: Callable[[str], Value]
    seconds: Callable[[], float]
    _looked: float = field(init=False, default=float("-inf"))
    _state: tuple[int, ...] | None = field(init=False, default=None)
    _value: Value = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._value = self.parse("")

    def value(self) -> Value:
        """What it says."""
        now = self.seconds()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._value

    def _look(self) -> None:
        try:
            found = self.path.stat()
            state: tuple[int, ...] | None = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            state = None
        if state != self._state:
            self._state = state
            self._value = self.parse(self._text() if state is not None else "")

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                octets = file.read(MAXIMUM_OCTETS + 1)
        except OSError:
            return ""
        if len(octets) > MAXIMUM_OCTETS:
            octets = octets[: octets.rfind(b"\n", 0, MAXIMUM_OCTETS) + 1]
        return octets.decode("utf-8", "replace")
