"""Content that is in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.outbound import IOutgoingContent


@implementer(IOutgoingContent)
@frozen
class InlineContent:
    """Provides `IOutgoingContent`."""

    inline: bytes

    @property
    def size(self) -> int:
        """See `IOutgoingContent.size`."""
        return len(self.inline)

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `IOutgoingContent.chunks`."""
        yield self.inline
