"""Taking a message's octets while they arrive.

Small content stays in memory. Once it is larger than the inline limit it goes to the content store in pieces, one at a
time, while the source is asked to wait whenever three of them are on their way: memory does not grow with the message.
Each piece is digested in a thread while the store writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from worldmail.errors import Refusal, TemporaryFailure
from worldmail.interfaces.store import IContentStore, IContentWriter, IPlaceWriter, StagedContent
from worldmail.mail.line_ends import has_other_line_ends
from worldmail.mail.transfer_encoding import InLines, header_says_binary
from worldmail.store.inflow import Inflow
from worldmail.wire.ready import Ready

_log = Logger()

PIECE = 256 * 1024
BEHIND = 768 * 1024

WORTH_A_THREAD = 64 * 1024
"""Octets that take no longer to digest than a thread takes to answer."""

Elsewhere = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs what takes its time, in a thread if there is one for it; done when that is done."""


def here(work: Callable[[], None]) -> Awaitable[None]:
    """Where there is no thread: at once."""
    work()
    return Ready(None)


@implementer(IContentWriter)
class ContentWriter:
    """Provides `IContentWriter`.

    Args:
        contents: where large content goes.
        inline_limit: octets that stay in memory, and later in the database.
        check_room: raises `StorageFull` if a message of that size is too large for the disk.
        elsewhere: where large content is digested.
        inflow: told of large content.
    """

    def __init__(
        self,
        contents: IContentStore,
        inline_limit: int,
        check_room: Callable[[int], None],
        elsewhere: Elsewhere = here,
        inflow: Inflow | None = None,
    ) -> None:
        self.size = 0
        self._inflow = inflow or Inflow()
        self._elsewhere = elsewhere
        self._contents = contents
        self._inline_limit = inline_limit
        self._check_room = check_room
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._spill: _Spill | None = None
        self._any_lines = False
        self._over = False

    def may_be_binary(self) -> None:
        self._any_lines = True

    def write(self, data: bytes) -> None:
        if self._over:
            return
        self.size += len(data)
        self._pieces.append(data)
        self._buffered += len(data)
        if self._spill is None:
            if self.size <= self._inline_limit:
                return
            self._spill = self._begin_to_spill()
        if self._buffered >= PIECE:
            self._hand_over(self._spill)

    def behind(self) -> bool:
        return self._spill is not None and self._spill.behind()

    def caught_up(self) -> Awaitable[None]:
        return Ready(None) if self._spill is None else self._spill.caught_up()

    def finish(self, prepend: bytes = b"") -> Awaitable[StagedContent]:
        if self._spill is not None:
            return self._finish_spilled(self._spill, prepend)
        self._over = True
        octets = b"".join((prepend, *self._pieces)) if prepend else b"".join(self._pieces)
        self._pieces = []
        content = StagedContent(
            digest=hashlib.sha256(octets).digest(), size=len(octets), inline=octets, place=None, binary=self._any_lines
        )
        odd = header_says_binary(octets) or (self._any_lines and has_other_line_ends(octets))
        return self._counted(content, octets) if odd else Ready(content)

    def abort(self) -> None:
        self._over = True
        self._pieces = []
        if self._spill is not None:
            spill, self._spill = self._spill, None
            spill.abort()

    async def _counted(self, content: StagedContent, octets: bytes) -> StagedContent:
        count = _Count()
        elsewhere = self._elsewhere if len(octets) > WORTH_A_THREAD else here
        await elsewhere(partial(count.update, octets))
        return evolve(content, told=count.finish())

    def _begin_to_spill(self) -> _Spill:
        spill = _Spill(self._contents, self._elsewhere, self._any_lines)
        try:
            self._check_room(self.size)
        except Refusal as error:
            spill.fail(error)
        return spill

    def _hand_over(self, spill: _Spill) -> None:
        self._inflow.octets += self._buffered
        pieces, self._pieces, self._buffered = self._pieces, [], 0
        spill.write(*pieces)

    async def _finish_spilled(self, spill: _Spill, prepend: bytes) -> StagedContent:
        self._over = True
        try:
            self._check_room(self.size)
            self._hand_over(spill)
            place = await spill.finish()
            if prepend:
                spill, place = await self._rewritten(prepend, place)
        except BaseException:
            self.abort()
            raise
        self._spill = None
        told, binary = spill.told()
        digest = spill.digest()
        return StagedContent(digest=digest, size=spill.size, inline=None, place=place, told=told, binary=binary)

    async def _rewritten(self, prepend: bytes, place: str) -> tuple[_Spill, str]:
        """A new place with `prepend` before the octets of `place`, which is removed."""
        spill = _Spill(self._contents, self._elsewhere, self._any_lines)
        try:
            spill.write(prepend)
            async for chunk in _chunks(self._contents, place, self.size):
                spill.write(chunk)
                await spill.caught_up()
            return spill, await spill.finish()
        except BaseException:
            spill.abort()
            raise
        finally:
            await self._contents.remove(place)


class _Spill:
    """Octets on their way to one place, in order, one piece at a time."""

    def __init__(self, contents: IContentStore, elsewhere: Elsewhere, any_lines: bool) -> None:
        self.size = 0
        self.queued = 0
        self._elsewhere = elsewhere
        self._hash = hashlib.sha256()
        self._any_lines = any_lines
        self._count: _Count | None = None
        self._taken = False
        self._writer: IPlaceWriter = contents.create()
        self._pieces: list[bytes] = []
        self._running = False
        self._waiting: list[Deferred[None]] = []
        self._error: BaseException | None = None
        self._over = False

    def digest(self) -> bytes:
        """SHA-256 of all octets given; to be asked once it is finished."""
        return self._hash.digest()

    def told(self) -> tuple[int, bool]:
        """Octets as lines, and whether those are others than what was given; to be asked once it is finished."""
        if self._count is None:
            return self.size, False
        told = self._count.finish()
        return told, told != self.size or self._count.odd

    def write(self, *pieces: bytes) -> None:
        """Take these octets; after an error they are dropped."""
        size = sum(map(len, pieces))
        if self._error is not None or not size:
            return
        self.size += size
        self.queued += size
        self._pieces += pieces
        if not self._running:
            self._running = True
            Deferred.fromCoroutine(self._run())

    def behind(self) -> bool:
        """True if the source should wait, or learn that it writes in vain."""
        return self.queued > BEHIND or self._error is not None

    def fail(self, error: BaseException) -> None:
        """Take no more, because of this error (the first one counts)."""
        if self._error is None:
            self._error = error

    async def caught_up(self) -> None:
        """Done when no more than half of what makes the source wait is queued. Raises what the writing raised."""
        while self.queued > BEHIND // 2 and self._error is None:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn
        if self._error is not None:
            raise self._error

    async def finish(self) -> str:
        """Everything written, the place."""
        await self._written()
        if self._error is not None:
            raise self._error
        place = await self._writer.finish()
        self._over = True
        if self._error is not None:  # given up meanwhile: what was finished may have been removed
            raise self._error
        return place

    def abort(self) -> None:
        """Remove the place once the piece under way is written; harmless if it was finished."""
        self.fail(TemporaryFailure(reason="the content was given up"))
        if not self._over:
            self._over = True
            Deferred.fromCoroutine(self._remove()).addErrback(_cannot_remove)

    async def _remove(self) -> None:
        await self._written()
        await self._writer.abort()

    async def _written(self) -> None:
        while self._running:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn

    async def _run(self) -> None:
        try:
            while self._pieces and self._error is None:
                piece = b"".join(self._pieces)
                self._pieces = []
                elsewhere = self._elsewhere if len(piece) > WORTH_A_THREAD else here
                digested = elsewhere(partial(self._take, piece))
                await self._writer.write(piece)
                await digested
                self.queued -= len(piece)
                self._wake()
        except Refusal as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - it reaches whoever waits for the writer
            self.fail(TemporaryFailure(reason=f"{type(error).__name__}: {error}"))
        finally:
            self._running = False
            self._pieces = []
            self._wake()

    def _take(self, piece: bytes) -> None:
        if not self._taken:
            says = header_says_binary(piece)
            self._count = _Count(odd=says) if says or self._any_lines else None
        self._taken = True
        self._hash.update(piece)
        if self._count is not None:
            self._count.update(piece)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            turn.callback(None)


class _Count:
    """Counts the octets of a message as lines.

    Attributes:
        odd: its header says binary, or there is a NUL in it.
    """

    def __init__(self, odd: bool = True) -> None:
        self.odd = odd
        self._lines = InLines()
        self._octets = 0

    def update(self, octets: bytes) -> None:
        """The next octets."""
        self.odd = self.odd or b"\0" in octets
        self._octets += len(self._lines.feed(octets))

    def finish(self) -> int:
        """How many they are."""
        return self._octets + len(self._lines.finish())


async def _chunks(contents: IContentStore, place: str, size: int) -> AsyncIterator[bytes]:
    offset = 0
    while offset < size:
        chunk = await contents.read(place, offset, PIECE)
        if not chunk:
            raise TemporaryFailure(reason=f"{place} ends at {offset} of {size}")
        offset += len(chunk)
        yield chunk


def _cannot_remove(failure: Any) -> None:
    _log.warn("unfinished content could not be removed: {reason}", reason=failure.getErrorMessage())
