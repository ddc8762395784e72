"""What a session may be waiting for, and which commands that allows."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """What the session waits for."""

    NEW = "EHLO"
    READY = "a transaction"
    MAIL = "recipients, or data"
    CHUNKS = "more chunks"
    TEXT = "the end of the text"
    SASL = "a response"
    CLOSED = "nothing"


COMMAND_STATES = frozenset((State.NEW, State.READY, State.MAIL, State.CHUNKS))
GREETED_STATES = COMMAND_STATES - {State.NEW}

OUT_OF_ORDER = {
    State.NEW: "Send EHLO first",
    State.READY: "Send MAIL first",
    State.MAIL: "Not within a mail transaction",
    State.CHUNKS: "Only BDAT, BURL, RSET or QUIT may follow BDAT or BURL",
}
"""What is said of a command that has no place there: 503 5.5.1."""
