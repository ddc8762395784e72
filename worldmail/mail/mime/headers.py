"""The headers of a message that streams, at all its levels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from worldmail.mail.mime.streaming import EntityStream, Event, Kind, Nature


async def headers_are_ascii(chunks: AsyncIterator[bytes]) -> bool:
    """Whether no header has an octet above 127, at any level of the message (RFC 6531 §3.2).

    What is nested too deep to be looked into counts as a header.
    """
    entities = EntityStream(into_global=True)
    async for chunk in chunks:
        if not _headers_in(entities.feed(chunk)):
            return False
    return _headers_in(entities.finish())


def _headers_in(events: Iterator[Event]) -> bool:
    """Whether all of them are ASCII."""
    return all(
        octets.isascii() for kind, entity, octets in events if kind is Kind.HEADER or entity.nature is Nature.UNREAD
    )
