"""The end of what is derived: after all that uses it."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred

from worldmail.store.derived.opening import Derived


class DerivedService(MultiService):
    """Stops its children, then what they fill."""

    def __init__(self, derived: Derived) -> None:
        MultiService.__init__(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        self._derived = derived

    def stopService(self) -> Deferred[Any]:
        def stop(_: object) -> Deferred[None]:
            return Deferred.fromCoroutine(self._derived.stop())

        return maybeDeferred(MultiService.stopService, self).addBoth(stop)
