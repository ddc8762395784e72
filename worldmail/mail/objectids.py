"""Object identifiers (RFC 8474) of messages and threads.

    objectid = 1*255(ALPHA / DIGIT / "_" / "-")

The ids that they are made of are never given out twice, so neither are they.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def email_id(content: int) -> bytes:
    """EMAILID of a message: the same for the same content, wherever it lies (RFC 8474 §5.1)."""
    return b"M%d" % content


def content_of(email: bytes) -> int | None:
    """The content that an EMAILID stands for; None if no message can have it."""
    digits = email[1:]
    return int(digits) if email.startswith(b"M") and digits.isdigit() and len(digits) < 20 else None


def thread_id(content: int, message_id: str | None, references: Sequence[str]) -> bytes:
    """THREADID of a message: the same for all that lead back to one first message (RFC 8474 §5.2).

    Args:
        content: what it is made of if there is no Message-ID at all.
        references: the message-ids that it follows, oldest first.
    """
    root = references[0] if references else message_id
    if root is None:
        return b"T%d" % content
    return b"T-" + hashlib.blake2b(root.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest().encode()
