"""Comments in structured fields (RFC 5322 §3.2.2)."""

from __future__ import annotations

import re

_PARTS = re.compile(rb"\\.|[()]", re.DOTALL)
_OUTSIDE = re.compile(rb'"(?:[^"\\]|\\.)*+"|\(|"', re.DOTALL)


def end_of_comment(value: bytes, start: int) -> int:
    """The offset behind the comment that begins at `start`; that of the value's end if it does not end."""
    depth = 0
    for match in _PARTS.finditer(value, start):
        part = match[0]
        if part == b"(":
            depth += 1
        elif part == b")":
            depth -= 1
            if depth == 0:
                return match.end()
    return len(value)


def without_comments(value: bytes) -> bytes:
    """Each comment has become a space; parentheses in quoted strings are none."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    position = 0
    while (match := _OUTSIDE.search(value, position)) is not None:
        if match[0] == b'"':
            break  # a quoted string that does not end
        if match[0] == b"(":
            kept += (value[position : match.start()], b" ")
            position = end_of_comment(value, match.start())
        else:
            kept.append(value[position : match.end()])
            position = match.end()
    kept.append(value[position:])
    return b"".join(kept)
