"""A site that notes first who has a message of its relay, and accepts the message a moment later."""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import evolve
from launch import serve
from twisted.internet.task import deferLater

from worldmail.interfaces.store import Acceptance
from worldmail.store.acceptance import Acceptances
from worldmail.store.arrived import note_arrival

LATER = 0.05


def inject() -> None:
    accept = Acceptances.accept

    async def accept_later(self: Acceptances, acceptance: Acceptance) -> None:
        from twisted.internet import reactor

        known = acceptance.handover
        if known is not None:
            recipients = [str(recipient.address) for recipient in acceptance.envelope.recipients]
            database: Any = self._database
            await database.write(partial(note_arrival, handover=known, recipients=recipients, now=1))
            await deferLater(reactor, LATER)  # type: ignore[arg-type]  # the installed one is a module
        await accept(self, evolve(acceptance, handover=None))

    Acceptances.accept = accept_later  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
