"""A server that removes a message at DELE, not at QUIT."""

from __future__ import annotations

from launch import serve

from worldmail.protocols.pop3.maildrop import Maildrop


def inject() -> None:
    mark = Maildrop.delete

    async def remove(self: Maildrop, number: int) -> None:
        row = await self.message(number)
        await mark(self, number)
        await self.store.expunge(self.status.id, [row.uid])

    Maildrop.delete = remove  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
