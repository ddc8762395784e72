"""The feed of committed changes, whose numbers may turn up in another order than they were given out in.

See the package for why what is missing below the highest number seen is looked for, and until when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg
from attrs import define, field, frozen
from zope.interface import implementer

from worldmail.database.changes import BACKLOG
from worldmail.database.listeners import Listener, Listeners, NumberedNotice
from worldmail.interfaces.database import IChanges, Row

_END = (
    "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint,"
    " (SELECT coalesce(max(number), 0) FROM change) FROM pg_current_snapshot() AS now"
)
_UNSEEN = (
    "SELECT number, topic, key FROM change WHERE number > $1 OR number = ANY($2::bigint[]) ORDER BY number LIMIT $3"
)
_LATEST = "SELECT number FROM change WHERE number > $1"


@frozen
class Question:
    """What the feed has not seen: what is above `highest`, and the `missing` numbers below it."""

    highest: int
    missing: tuple[int, ...]


@frozen(kw_only=True)
class Answer:
    """What a look found.

    Args:
        oldest, next: of the transactions then: the oldest one under way, and the next to begin.
        rows: what is new; None if there was too much, or the database is an older one.
        missing: if so, numbers just below `highest` that may still turn up.
    """

    question: Question
    oldest: int
    next: int
    highest: int
    rows: Sequence[Row] | None
    missing: Sequence[int] = ()


def look(connection: psycopg.Connection[Row], question: Question) -> Answer | None:
    """In a thread: what is new; None if nothing is. Raises `psycopg.Error`."""
    oldest, next_, highest = connection.execute(_END).fetchall()[0]
    if highest == question.highest and not question.missing:
        return None
    # The transactions are looked at before the rows: what was over then is seen now.
    rows = None
    if question.highest <= highest <= question.highest + BACKLOG:
        unseen = (question.highest, list(question.missing), 2 * BACKLOG)
        rows = connection.execute(_UNSEEN, unseen).fetchall()
    missing = recently_missing(connection, highest) if rows is None else ()
    return Answer(question=question, oldest=oldest, next=next_, highest=highest, rows=rows, missing=missing)


def begin(connection: psycopg.Connection[Row]) -> Question:
    """Where a feed begins that starts now. Raises `psycopg.Error`."""
    highest = int(connection.execute(_END).fetchall()[0][2])
    return Question(highest, tuple(recently_missing(connection, highest)))


def recently_missing(connection: psycopg.Connection[Row], highest: int) -> list[int]:
    """Numbers below `highest` that were not committed yet, if they ever will be."""
    first = max(0, highest - BACKLOG)
    there = {row[0] for row in connection.execute(_LATEST, (first,))}
    return [number for number in range(first + 1, highest) if number not in there] if there else []


@implementer(IChanges)
@define
class Feed:
    """Provides `IChanges`; lives in the reactor.

    `_missing` says of each missing number which transactions must be over before it is given up, None until the
    next look tells.
    """

    _listeners: Listeners = field(factory=Listeners, init=False)
    _highest: int = field(default=0, init=False)
    _missing: dict[int, int | None] = field(factory=dict, init=False)

    def subscribe(self, topic: str, listener: Listener, key: int | None = None) -> Callable[[], None]:
        return self._listeners.subscribe(topic, listener, key)

    def start(self, question: Question) -> None:
        """Begin there."""
        self._highest, self._missing = question.highest, dict.fromkeys(question.missing)

    def question(self) -> Question:
        """What to look for; any thread may ask. First the highest: what is missed from then on lies above it."""
        return Question(self._highest, tuple(self._missing.copy()))

    def committed(self, notices: Sequence[NumberedNotice]) -> None:
        """This process committed these."""
        self._listeners.tell([notice for notice in notices if self._is_new(notice[0])])

    def answered(self, answer: Answer) -> None:
        """A look found this."""
        if answer.rows is None:
            if answer.question.highest == self._highest or answer.highest > self._highest:
                self.start(Question(answer.highest, tuple(answer.missing)))
            self._listeners.lost(answer.highest)
            return
        fresh = [row for row in answer.rows if self._is_new(row[0])]
        self._give_up(answer)
        self._listeners.tell(fresh)

    def _is_new(self, number: int) -> bool:
        """True for a number that was not told before; it is seen then."""
        if number > self._highest:
            if number - self._highest > BACKLOG:
                self._listeners.lost(number)
            self._missing.update(dict.fromkeys(range(max(self._highest, number - BACKLOG) + 1, number)))
            self._highest = number
        elif number in self._missing:
            del self._missing[number]
        else:
            return False
        return True

    def _give_up(self, answer: Answer) -> None:
        """Forget what was looked for, is not there, and cannot come any more."""
        missing = self._missing
        for number in answer.question.missing:
            if number in missing:
                over = missing[number]
                if over is None:
                    missing[number] = answer.next
                elif answer.oldest >= over:
                    del missing[number]
