"""How far a command is that takes long: INPROGRESS (RFC 9585).

inprogress-state = nil SP nil / number SP nil / number SP nz-number                              ; RFC 9585 §5

The driver asks for a report after some ten seconds, and again each time (`IReporting`).
"""

from __future__ import annotations

from attrs import define

from worldmail.protocols.imap.replies import untagged


@define
class Work:
    """One command under way.

    Args:
        tag: the client's.

    Attributes:
        total: messages that it is about; 0 if nobody said.
        end: how many are done once those are that are worked on now.
        done: how many are done; it only grows.
        streams: it goes on when the verb has answered, while the answer is sent.
        amid: what was sent last ends within a line.
    """

    tag: bytes
    total: int = 0
    end: int = 0
    done: int = 0
    streams: bool = False
    amid: bool = False

    def expect(self, count: int) -> None:
        """It is about so many messages, if nobody said more before."""
        if not self.total:
            self.total = self.end = count

    def left(self, count: int) -> None:
        """So many of them have still to be looked at."""
        self.done = max(self.done, self.end - count)

    def report(self) -> bytes:
        """An untagged OK (§4). The goal is not reached before the tagged reply."""
        if self.amid:
            return b""
        tag = b"NIL" if b"]" in self.tag else b'"%b"' % self.tag
        state, text = b"NIL NIL", "Still at it"
        if self.total:
            done = min(self.done, self.total - 1)
            state, text = b"%d %d" % (done, self.total), f"{100 * done // self.total} per cent are done"
        return untagged(b"OK", text, b"INPROGRESS (%b %b)" % (tag, state))
