"""Which session is the first to be told of what arrives: there the messages are \\Recent (RFC 3501 §2.3.2).

What SELECT finds new is taken in the store, so that it is \\Recent once, whichever server is asked. Messages that
arrive while a mailbox is selected would need a write each time that a client is told of one; so who was told of them is
known here, to the sessions of one process. Of several sessions that have the mailbox selected "it is undefined which of
these connections will see newly-arrived messages with \\Recent set": it is one until it leaves, so what is \\Recent in
a session are always its last messages. What another process has told is not known: such messages "SHOULD be considered
recent".
"""

from __future__ import annotations

from attrs import define, field

MOST_TOLD = 100_000
"""Mailboxes of which is known what was told."""


@define(eq=False)
class Recents:
    """What the IMAP sessions of a process know of each other."""

    _first: dict[int, object] = field(factory=dict)
    _told: dict[int, int] = field(factory=dict)

    def take(self, mailbox: int, session: object) -> bool:
        """This is the session that is told first from now on, unless there is another one: is it?"""
        return self._first.setdefault(mailbox, session) is session

    def leave(self, mailbox: int, session: object) -> None:
        """It is told no more. Harmless for others."""
        if self._first.get(mailbox) is session:
            del self._first[mailbox]

    def tell(self, mailbox: int, uidnext: int) -> None:
        """A session was told of all messages below this UID."""
        self._told.pop(mailbox, None)  # those that were told of last stand last
        self._told[mailbox] = uidnext
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]

    def from_uid(self, mailbox: int, stored: int) -> int:
        """From this UID on no session was told; `stored` is what the store knows of that."""
        return max(stored, self._told.get(mailbox, 0))
