"""A part of a message: where it lies, and what its header says."""

from __future__ import annotations

from attrs import define, field

from worldmail.mail.mime.content import ContentType
from worldmail.mail.mime.fields import Fields


@define(eq=False)
class Part:
    """A message, a body part, or the message inside of a message/rfc822 part.

    Attributes:
        start: offset of its header in the message.
        body: offset of its body, behind the empty line; the header is `start` to `body`.
        end: offset behind its body; the line end in front of a boundary is no part of it.
        fields: the first of the header's fields that are asked for.
        content: its media type.
        children: of a multipart its parts; of a message/rfc822 the one message in it.
        lines: line ends in the body of a text part or a message/rfc822 part; else 0.
    """

    start: int
    body: int
    end: int
    fields: Fields
    content: ContentType
    children: list[Part] = field(factory=list)
    lines: int = 0

    @property
    def is_multipart(self) -> bool:
        """True if its children are the numbered parts of a multipart."""
        return self.content.is_multipart

    @property
    def is_message(self) -> bool:
        """True if its only child is a whole message."""
        return self.content.is_message
