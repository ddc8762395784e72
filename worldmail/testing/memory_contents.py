"""A content store in memory."""

from __future__ import annotations

from attrs import define, field
from zope.interface import implementer

from worldmail.interfaces.store import IContentStore, IPlaceWriter
from worldmail.wire.ready import Ready


@implementer(IContentStore)
@define(kw_only=True)
class MemoryContents:
    """Places in a dict; `reads` are the (place, offset, length) that were asked for."""

    name: str = "memory"
    kept: dict[str, bytes] = field(factory=dict)
    reads: list[tuple[str, int, int]] = field(factory=list)
    count: int = 0

    def create(self) -> MemoryPlaceWriter:
        """A writer for one new place."""
        return MemoryPlaceWriter(contents=self)

    def read(self, place: str, offset: int, length: int) -> Ready[bytes]:
        """See `IContentStore.read`."""
        self.reads.append((place, offset, length))
        return Ready(self.kept[place][offset : offset + length])

    def remove(self, place: str) -> Ready[None]:
        """See `IContentStore.remove`."""
        self.kept.pop(place, None)
        return Ready(None)

    def places(self, older_than: int) -> Ready[list[str]]:
        """All of them: there is no time here."""
        return Ready(list(self.kept))


@implementer(IPlaceWriter)
@define(kw_only=True)
class MemoryPlaceWriter:
    """Keeps what is written until it is finished."""

    contents: MemoryContents
    pieces: list[bytes] = field(factory=list)

    def write(self, data: bytes) -> Ready[None]:
        """Keep it."""
        self.pieces.append(data)
        return Ready(None)

    def finish(self) -> Ready[str]:
        """Its place."""
        self.contents.count += 1
        place = f"place-{self.contents.count}"
        self.contents.kept[place] = b"".join(self.pieces)
        return Ready(place)

    def abort(self) -> Ready[None]:
        """Forget it."""
        self.pieces.clear()
        return Ready(None)
