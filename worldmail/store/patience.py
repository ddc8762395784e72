"""The time by which things are old enough to be removed."""

from __future__ import annotations

from attrs import define, field

from worldmail.interfaces.world import IClock

SLACK = 60.0
"""Seconds by which the wall clock may run ahead of the one that only grows without having been set."""


@define
class PatientTime:
    """The wall clock's time, but a clock that is set forward makes nothing old at once.

    What came a moment before the step would otherwise look older than the grace: content that is being accepted, or
    read. Only when the grace has passed since the step was noticed is the new time believed.

    Args:
        clock: both of its clocks are asked.
        grace: seconds.
    """

    _clock: IClock
    _grace: float
    _wall: float = field(init=False)
    _seconds: float = field(init=False)
    _noticed: float | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._anchor(self._clock.now(), self._clock.seconds())

    def now(self) -> int:
        """Epoch seconds, not ahead of what has passed."""
        wall, seconds = self._clock.now(), self._clock.seconds()
        steady = self._wall + seconds - self._seconds
        if wall > steady + SLACK:
            if self._noticed is None:
                self._noticed = seconds
            if seconds - self._noticed <= self._grace:
                return int(steady)
        self._anchor(wall, seconds)
        return int(wall)

    def _anchor(self, wall: float, seconds: float) -> None:
        self._wall, self._seconds, self._noticed = wall, seconds, None
