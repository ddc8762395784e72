"""The base subject: what a Subject says without what replying and forwarding put around it (RFC 5256 §2.1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from worldmail.mail.text.encoded_words import header_text

# BLOBCHAR = any CHAR8 except "[" and "]"; subj-blob = "[" *BLOBCHAR "]" *WSP                            RFC 5256 §5
_BLOB = re.compile(r"\[[^\[\]]*+\] *+")
# subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
_REFWD = re.compile(r"(?:re|fwd?) *+(?:\[[^\[\]]*+\] *+)?:", re.IGNORECASE | re.ASCII)
_FWD_TRAILER = "(fwd)"
_FWD_HEADER = "[fwd:"


class BaseSubject(NamedTuple):
    """A base subject, and whether anything said that its message is a reply or was forwarded (RFC 5256 §3)."""

    text: str
    is_reply: bool


def base_subject(subject: bytes | None) -> BaseSubject:
    """The base subject of a Subject field, unfolded or as it stands in an ENVELOPE."""
    return base_of(header_text(subject)) if subject else BaseSubject("", False)


def base_of(text: str) -> BaseSubject:
    """The base subject of text whose encoded words are decoded (step 1 is done but for white space).

    The text is never copied while it is read: what is left of it is between two offsets, which only approach.
    """
    text = " ".join(text.split())
    start, end, is_reply = 0, len(text), False
    while True:
        end, trailed = _without_trailers(text, start, end)
        start, led = _without_leaders(text, start, end)
        is_reply = is_reply or trailed or led
        if not (text.endswith("]", start, end) and text[start : start + len(_FWD_HEADER)].lower() == _FWD_HEADER):
            return BaseSubject(text[start:end], is_reply)
        start, end, is_reply = start + len(_FWD_HEADER), end - 1, True  # step 6


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    """Step 2: subj-trailer = "(fwd)" / WSP."""
    found = False
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif end - start >= len(_FWD_TRAILER) and text[end - len(_FWD_TRAILER) : end].lower() == _FWD_TRAILER:
            end -= len(_FWD_TRAILER)
            found = True
        else:
            break
    return end, found


def _without_leaders(text: str, start: int, end: int) -> tuple[int, bool]:
    """Steps 3 to 5: subj-leader = (*subj-blob subj-refwd) / WSP; a blob goes too unless nothing would be left.

    Blobs in a row are read once: either all of them lead to a subj-refwd, or none does.
    """
    found = False
    while True:
        while start < end and text[start] == " ":
            start += 1
        last = behind = start
        while (blob := _BLOB.match(text, behind, end)) is not None:
            last, behind = behind, blob.end()
        refwd = _REFWD.match(text, behind, end)
        if refwd is None:
            return (behind if behind < end else last), found
        start, found = refwd.end(), True
