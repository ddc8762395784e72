"""MESSAGELIMIT: how many messages one command works on (RFC 9738).

The limit that is announced is advice: a client that knows of it asks for no more. What a command does is cut off only
at a higher one, so that clients that know nothing of it are not told half of a large mailbox as if it were all
(RFC 9738 §4.2); MOVE alone keeps to it. Of more messages those with the highest UIDs are worked on, from the last one
down (§3.1). EXPUNGE, CLOSE and STATUS work on all, and so does ESEARCH, which could not tell what it left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from worldmail.protocols.imap.replies import No, untagged
from worldmail.protocols.imap.rows import Answer, Done

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session
    from worldmail.protocols.imap.view.view import Slices, View


@frozen
class Reached:
    """More messages were meant than one command works on.

    Args:
        limit: how many it works on.
        uid: the lowest of those.
    """

    limit: int
    uid: int

    @property
    def code(self) -> bytes:
        """The response code (RFC 9738 §5)."""
        return b"MESSAGELIMIT %d %d" % (self.limit, self.uid)

    @property
    def line(self) -> bytes:
        """It, where the tagged reply has a code of its own (§3.1)."""
        return untagged(b"NO", f"Only the last {self.limit} messages were worked on", self.code)

    def told_with(self, answer: Answer) -> Done:
        """The answer that tells it."""
        done = answer if isinstance(answer, Done) else Done(answer)
        if done.code is not None:
            return evolve(done, effects=(*done.effects, self.line))
        return evolve(done, code=self.code, text=f"Completed for the last {self.limit} messages")

    def refusal(self) -> No:
        """Nothing is done, where half of it would be wrong (§3.1, §3.3)."""
        return No("These are too many messages for one command", self.code)


def most(session: Session) -> int:
    """How many messages one command works on; 0 for any number."""
    settings = session.settings
    return settings.message_limit and max(settings.message_limit, settings.message_limit_enforced)


def last_of(view: View, slices: Slices, limit: int) -> tuple[Slices, Reached | None]:
    """Those of these messages that one command works on, which are no more than `limit` (0: all)."""
    if not limit or sum(end - start for start, end in slices) <= limit:
        return slices, None
    kept: list[tuple[int, int]] = []
    left = limit
    for start, end in reversed(slices):
        first = max(start, end - left)
        kept.append((first, end))
        left -= end - first
        if not left:
            break
    kept.reverse()
    return kept, Reached(limit, view.uids[kept[0][0]])


def capability(session: Session) -> Iterable[str]:
    """What the configuration makes true (RFC 9738 §3): the advice for all commands, the limit of COPY and APPEND."""
    limits = session.settings
    announced = (f"MESSAGELIMIT={limits.message_limit}",) if limits.message_limit else ()
    return (*announced, f"SAVELIMIT={limits.save_limit}")
