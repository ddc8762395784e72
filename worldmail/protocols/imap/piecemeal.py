"""What is new in the selected mailbox, if it is very much: part after part, and others have their turns in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TYPE_CHECKING, Protocol

from attrs import define

from worldmail.errors import Refusal
from worldmail.protocols.imap.replies import AccountChanged

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session
    from worldmail.protocols.imap.view.selected import Selected


class Ask(Protocol):
    """Asks for a part of what is new: `Session.news`, `Session.changes` or `Session.told_by_view`."""

    def __call__(self, *, expunges: bool) -> Awaitable[Sequence[bytes]]:
        """`expunges`: what was expunged may be told."""


@define
class Progress:
    """Whether a part was told since this was made, and others are left."""

    selected: Selected | None
    pulls: int

    @classmethod
    def of(cls, session: Session) -> Progress:
        """Now."""
        selected = session.selected
        return cls(selected, 0 if selected is None else selected.pulls)

    def goes_on(self, *, expunges: bool) -> bool:
        """Who did not ask the view will not the next time either: it does not go on then."""
        selected = self.selected
        return selected is not None and selected.pulls > self.pulls and selected.is_left(expunges=expunges)


async def parts(session: Session, ask: Ask, *, expunges: bool) -> AsyncIterator[bytes]:
    """What is new, for a stream."""
    while True:
        progress = Progress.of(session)
        part = await ask(expunges=expunges)
        if part:
            yield b"".join(part)
        if not progress.goes_on(expunges=expunges):
            return


async def all_of(session: Session, ask: Ask, *, expunges: bool) -> Sequence[bytes]:
    """What is new, where it is needed in one piece.

    If the store refuses after a part was told, that part is given: the others are told another time.
    """
    progress = Progress.of(session)
    lines = await ask(expunges=expunges)
    if not progress.goes_on(expunges=expunges):
        return lines
    told = [b"".join(lines)]
    try:
        while progress.goes_on(expunges=expunges):
            await session.world.clock.sleep(0)
            progress = Progress.of(session)
            told.append(b"".join(await ask(expunges=expunges)))
    except AccountChanged:
        raise
    except Refusal:
        pass
    return told
