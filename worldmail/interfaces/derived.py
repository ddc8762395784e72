"""What is made out of content and can always be made anew: summaries and the full-text index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from attrs import frozen
from zope.interface import Interface


@frozen(kw_only=True)
class Summary:
    """What is kept of one content.

    Args:
        envelope, structure: ENVELOPE and BODYSTRUCTURE as IMAP octets (RFC 9051 §7.5.2), without their names.
        sent: the Date field, epoch seconds; None if there is none that can be read.
        sent_day: its day where it was sent, in days since 1 January 1970 (SENTON disregards time and zone, §6.4.4).
        references: message-ids for threads, oldest first (RFC 5256 §3: References, else In-Reply-To).
        message_id: the message's own, normalised, None without one.
        preview: RFC 8970's text, at most 200 characters.
    """

    envelope: bytes
    structure: bytes
    sent: int | None
    sent_day: int | None
    message_id: str | None
    references: tuple[str, ...]
    preview: str


class ISummaries(Interface):
    """Summaries of contents."""

    def summaries(content_ids: Sequence[int]) -> Awaitable[Mapping[int, Summary]]:
        """Those of these contents (at most some hundred at once), made now where they are not kept.

        Content that cannot be read now (gone, or its store is away) is left out.
        """

    def kept(content_id: int) -> Summary | None:
        """What is in memory already; cheap."""


@frozen(kw_only=True)
class Needle:
    """One thing to look for: a substring (not folded yet) in "header", "body" or "text" (both), or in one header field.

    `field` is a header field's name, lower case, with `where` "field"; an empty `text` then asks whether the field is
    there (RFC 9051 §6.4.4).
    """

    where: str
    text: str
    field: str | None = None


class ISearchIndex(Interface):
    """Substring search (RFC 9051 §6.4.4) over decoded text, compared by i;unicode-casemap (RFC 5255 §4.2, RFC 5051)."""

    def holding(
        needle: Needle, content_ids: Collection[int], *, limit: float, left: Callable[[int], None] | None = None
    ) -> Awaitable[frozenset[int]]:
        """Which of these contents hold the needle: exact, also while the index is catching up.

        Takes no longer than `limit` seconds (`SearchTooLong`). Answered by the index where that is proof, verified
        against the text otherwise; content that the index does not have yet is read. Content that cannot be read now
        (gone, or its store is away) is left out, unless the index tells of it. `left` is told how many contents have
        still to be read.
        """

    def behind() -> Awaitable[int]:
        """How many contents wait to be indexed."""
