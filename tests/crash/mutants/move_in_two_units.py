"""A server that moves in two units: first the copies, and a moment later what was copied goes."""

from __future__ import annotations

from launch import serve
from twisted.internet.task import deferLater

from worldmail.interfaces.messages import Copied, FlagChange, Uids
from worldmail.store.messages.messages import Messages

LATER = 0.05


def inject() -> None:
    async def move(
        self: Messages, mailbox_id: int, uids: Uids, target_id: int, *, flags: FlagChange | None = None
    ) -> Copied:
        from twisted.internet import reactor

        copied = await self.copy(mailbox_id, uids, target_id, flags=flags)
        await deferLater(reactor, LATER)  # type: ignore[arg-type]  # the reactor is made at run time
        await self.expunge(mailbox_id, copied.source, deleted_only=False)
        return copied

    Messages.move = move  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
