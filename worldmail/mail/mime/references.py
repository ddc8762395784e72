"""Message-IDs, and which messages a message says it follows (RFC 5322 §3.6.4, RFC 5256 §2.2)."""

from __future__ import annotations

import re

MAXIMUM_REFERENCES = 1000
"""More than that: the first and the last ones count."""

# "<" id-left "@" id-right ">"; id-left may be a quoted string.
_MESSAGE_ID = re.compile(rb'<\s*+((?:[^<>@"\s]++|"(?:[^"\\<>]|\\.)*+")++)@([^<>@\s]++)\s*+>')
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def message_ids(value: bytes | None) -> list[bytes]:
    """The ids in a field without their angle brackets and quotes, so that ids that are equal are written alike."""
    if not value:
        return []
    found = _MESSAGE_ID.findall(value)
    return [b"%b@%b" % (_unquoted(left) if b'"' in left else left, right) for left, right in found]


def _unquoted(left: bytes) -> bytes:
    return _QUOTED_PAIR.sub(rb"\1", left.replace(b'"', b"") if b"\\" not in left else left.strip(b'"'))


def message_id(value: bytes | None) -> bytes | None:
    """The id in a Message-ID field; None if there is none that can be read."""
    found = message_ids(value)
    return found[0] if found else None


def references(referring: bytes | None, replying: bytes | None) -> tuple[bytes, ...]:
    """What threading goes by: the ids of References, or else the first of In-Reply-To, each once, in their order."""
    found = message_ids(referring) or message_ids(replying)[:1]
    if len(found) > 1:
        found = list(dict.fromkeys(found))
        if len(found) > MAXIMUM_REFERENCES:
            found = [found[0], *found[1 - MAXIMUM_REFERENCES :]]
    return tuple(found)
