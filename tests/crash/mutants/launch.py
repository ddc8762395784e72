"""Starts the server from a launcher that broke it first: `python LAUNCHER -n worldmail --config ...`."""

from __future__ import annotations

from collections.abc import Callable


def serve(*faults: Callable[[], None]) -> None:
    """Inject the faults, then be twistd."""
    for inject in faults:
        inject()
    from twisted.scripts.twistd import run

    run()
