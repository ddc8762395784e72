"""Summaries as rows, the same on both engines."""

from __future__ import annotations

from worldmail.interfaces.database import Row
from worldmail.interfaces.derived import Summary

COLUMNS = "content_id, envelope, structure, sent, sent_day, message_id, refs, preview"
PLACES = "?, ?, ?, ?, ?, ?, ?, ?"


def to_row(content_id: int, summary: Summary) -> Row:
    """The values of `COLUMNS`."""
    return (
        content_id,
        summary.envelope,
        summary.structure,
        summary.sent,
        summary.sent_day,
        summary.message_id,
        "\n".join(summary.references),
        summary.preview,
    )


def from_row(row: Row) -> Summary:
    """The summary in the values of `COLUMNS`."""
    _, envelope, structure, sent, sent_day, message_id, references, preview = row
    return Summary(
        envelope=envelope,
        structure=structure,
        sent=sent,
        sent_day=sent_day,
        message_id=message_id,
        references=tuple(references.split("\n")) if references else (),
        preview=preview,
    )
