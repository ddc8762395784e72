"""What is kept beside a message's content, made in one pass: ENVELOPE, BODYSTRUCTURE, and what THREAD goes by."""

from __future__ import annotations

from attrs import frozen

from worldmail.mail.dates import sent_date
from worldmail.mail.mime.content import disposition
from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.references import message_id, references
from worldmail.mail.mime.structure import render_structure


@frozen
class Summary:
    """What a message's octets say, ready to be sent or sorted by.

    Attributes:
        envelope: ENVELOPE, in parentheses.
        structure: BODYSTRUCTURE, in parentheses.
        sent: epoch seconds of the Date field; None if it has none that can be read.
        sent_day: the day that is written there, in days since 1 January 1970.
        message_id: without angle brackets and quotes; None if there is none.
        references: ids of the messages that it follows, the oldest first (RFC 5256 §2.2).
        has_attachment: true if a part is meant to be kept as a file.
    """

    envelope: bytes
    structure: bytes
    sent: int | None
    sent_day: int | None
    message_id: bytes | None
    references: tuple[bytes, ...]
    has_attachment: bool


def summary_of(root: Part) -> Summary:
    """The summary of a scanned message."""
    get = root.fields.get
    moment = sent_date(get(b"date"))
    return Summary(
        render_envelope(root.fields),
        render_structure(root),
        None if moment is None else moment.at,
        None if moment is None else moment.day,
        message_id(get(b"message-id")),
        references(get(b"references"), get(b"in-reply-to")),
        has_attachment(root),
    )


def has_attachment(root: Part) -> bool:
    """True if a part says attachment, or is neither text nor shown inline and has a file name."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.children:
            waiting += part.children
        if _is_attachment(part):
            return True
    return False


def _is_attachment(part: Part) -> bool:
    if part.is_multipart:
        return False
    value = part.fields.get(b"content-disposition")
    if value is not None:
        kind, given = disposition(value)
        if kind.lower() == b"attachment":
            return True
        if kind.lower() == b"inline" or part.content.is_text:
            return False
        return any(name.lower().startswith(b"filename") for name, _ in given)
    return not part.content.is_text and any(name.lower().startswith(b"name") for name, _ in part.content.parameters)
