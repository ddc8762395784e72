"""A server that replies to end-of-data, and commits a moment later."""

from __future__ import annotations

from launch import serve
from twisted.internet.defer import Deferred

from worldmail.interfaces.store import Acceptance
from worldmail.store.acceptance import Acceptances

LATER = 0.05


def inject() -> None:
    accept = Acceptances.accept

    async def accept_later(self: Acceptances, acceptance: Acceptance) -> None:
        from twisted.internet import reactor

        reactor.callLater(LATER, lambda: Deferred.fromCoroutine(accept(self, acceptance)))  # type: ignore[attr-defined]  # made at run time

    Acceptances.accept = accept_later  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
