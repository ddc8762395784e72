"""What a finger client asks (RFC 1288 §2.3).

{Q1} = [{W}|{W}{S}{U}]{C}          a user, "/W" for much of it; without a user the list of all
{Q2} = [{W}{S}][{U}]{H}{C}         the same, to be asked of another host
"""

from __future__ import annotations

import enum

from attrs import frozen

LINE = 512
"""The longest question, its CRLF included. The protocol names no bound; words are far shorter."""


class Kind(enum.Enum):
    """What is asked for."""

    WORD = "word"  # {U}
    LIST = "list"  # all users
    FORWARD = "forward"  # {H}


@frozen(kw_only=True)
class Question:
    """One question: what it is for, the word if it names one."""

    kind: Kind
    word: str = ""


def parse_question(line: bytes) -> Question:
    """The question of a line, without its CRLF. What cannot be a word is one that nobody names.

    "/W" stands in front of the word (§2.5.4) and changes nothing here; some clients put it behind.
    """
    text = line.decode("ascii", "replace").strip(" \t")
    first, _, rest = text.partition(" ")
    if first.upper() == "/W":
        text = rest.strip(" \t")
    elif text.upper().endswith(" /W"):
        text = text[:-3].strip(" \t")
    if "@" in text:
        return Question(kind=Kind.FORWARD)
    return Question(kind=Kind.WORD, word=text) if text else Question(kind=Kind.LIST)
