"""A server that commits the row of a message before its content file has its name."""

from __future__ import annotations

from launch import serve
from twisted.internet.defer import Deferred, succeed

from worldmail.store.files import FilePlaceWriter

LATER = 0.5


def inject() -> None:
    finish = FilePlaceWriter.finish

    def finish_later(self: FilePlaceWriter) -> Deferred[str]:
        from twisted.internet import reactor

        reactor.callLater(LATER, finish, self)  # type: ignore[attr-defined]  # the reactor is made at run time
        return succeed(self._place)

    FilePlaceWriter.finish = finish_later  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
