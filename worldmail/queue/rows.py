"""The rows of the queue: what each unit of work writes and reads, in SQL that both engines speak.

`destination.due` is never later than the first of its waiting recipients could be tried, so that whoever looks for work
reads one small index. Units that let a recipient wait are not `Shared`: they must not miss one who takes work at the
same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from attrs import frozen

from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.queue import Standing
from worldmail.queue.jobs import Attempt, Job, Leased, Message, read_envelope, read_recipient
from worldmail.queue.linked import link_facts
from worldmail.queue.states import Event, sources

TOPIC = "queue"
"""Of the change feed: the id of a destination for which something waits."""

STEERED = "queue-steered"
"""Of the change feed: the id of a destination where an administrator wants something done; 0 for all."""

NEWS = "queue-held"
"""Of the change feed: the id of a destination for which something came into a hold."""

FOREVER = 1 << 53
"""The `look` of what is held: never."""

Place = tuple[str, str, str]
"""A destination by its key, domain and the name of its route."""

_W, _H, _L = Standing.WAITING.value, Standing.HELD.value, Standing.LEASED.value

_FIND_DESTINATION = "SELECT id FROM destination WHERE key = ?"
_ADD_DESTINATION = (
    "INSERT INTO destination (key, domain, route, down_since) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (key) DO NOTHING RETURNING id"
)
_ADD_MESSAGE = (
    "INSERT INTO queued (acceptance, content_id, sender, envelope, size, accepted, priority, kind, sole, recipients)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_ADD_RECIPIENT = (
    "INSERT INTO recipient (queued_id, destination_id, address, wishes, state, due, attempts, expires, look, warned,"
    " runner_id) SELECT ?, id, ?, ?, ?, ?, ?, ?, ?, 0, ? FROM destination WHERE id = ? RETURNING id"
)
# The earlier of what it is and what is asked for, but not before the end of its rest.
_LOWER_DUE = (
    "UPDATE destination SET due = CASE WHEN rest_until > ? THEN rest_until ELSE ? END"
    " WHERE id = ? AND (due IS NULL OR due > CASE WHEN rest_until > ? THEN rest_until ELSE ? END)"
)
_FIRST_DUE = "SELECT min(due) FROM recipient WHERE destination_id = ? AND state = 0"
_SET_DUE = "UPDATE destination SET due = CASE WHEN rest_until > ? THEN rest_until ELSE ? END WHERE id = ?"
_NO_DUE = "UPDATE destination SET due = NULL WHERE id = ? AND due IS NOT NULL"
_DUE = (
    "SELECT r.id, r.address, r.wishes, r.attempts, r.expires, r.warned, r.queued_id FROM recipient r"
    " WHERE r.destination_id = ? AND r.state = 0 AND r.due <= ?{} ORDER BY r.due LIMIT ?"
)
_MESSAGE = "SELECT acceptance, content_id, sender, envelope, size, accepted, kind, sole FROM queued WHERE id = ?"
_LEASE = (
    f"UPDATE recipient SET state = {_L}, runner_id = ?, attempts = attempts + 1"
    f" WHERE id = ? AND {sources(Event.LEASED)}"
)
_HELD = (
    "SELECT r.id, r.address, r.wishes, r.attempts, r.expires, r.warned, r.queued_id FROM recipient r"
    f" WHERE r.destination_id = ? AND r.state = {_H} AND r.id > ? AND r.due <= ? AND r.look < ?"
    " AND r.attempts <= ? ORDER BY r.id LIMIT ?"
)
_FETCH = (
    f"UPDATE recipient SET state = {_L}, runner_id = ?, attempts = attempts + 1"
    f" WHERE id = ? AND {sources(Event.FETCHED)}"
)
_MOVE = f"UPDATE recipient SET destination_id = ? WHERE id = ? AND {sources(Event.MOVED)}"
_END = f"DELETE FROM recipient WHERE id = ? AND runner_id = ? AND {sources(Event.DELIVERED)}"
_DEFER = (
    "UPDATE recipient SET state = ?, runner_id = NULL, due = ?, look = ?, reply = ?, server = ?, tried = ?,"
    f" attempts = ?, wish = NULL WHERE id = ? AND runner_id = ? AND {sources(Event.DEFERRED)}"
)
_WISH = "SELECT wish FROM recipient WHERE id = ? AND runner_id = ? AND wish IS NOT NULL"
_FEWER = "UPDATE queued SET recipients = recipients - ? WHERE id = ? RETURNING recipients, content_id, sole"
_MORE = "UPDATE queued SET recipients = recipients + ? WHERE id = ?"
_FORGET_MESSAGE = "DELETE FROM queued WHERE id = ?"
_FORGET_CONTENT = (
    "DELETE FROM content WHERE id = ? AND place IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM message m WHERE m.content_id = content.id)"
    " AND NOT EXISTS (SELECT 1 FROM queued q WHERE q.content_id = content.id)"
)
_ORPHAN = "INSERT INTO orphan (content_id, since) VALUES (?, ?) ON CONFLICT (content_id) DO NOTHING"


@frozen(kw_only=True)
class NewRecipient:
    """A recipient as it comes into the queue."""

    address: str
    wishes: str | None
    standing: Standing
    due: int
    expires: int
    look: int


def destination_id(cursor: Cursor, key: str, domain: str, route: str) -> int:
    """The row of a destination, made if there is none; behind a link that is down it stands from its beginning."""
    row = cursor.one(_FIND_DESTINATION, (key,))
    if row is None:
        since = link_facts(cursor).down_since(key, route)
        row = cursor.one(_ADD_DESTINATION, (key, domain, route, since)) or cursor.one(_FIND_DESTINATION, (key,))
    assert row is not None
    return int(row[0])


def add_message(cursor: Cursor, values: Row) -> int:
    """A row of `queued`; its id. `values` are those of its columns, in their order."""
    row = cursor.one(_ADD_MESSAGE, values)
    assert row is not None
    return int(row[0])


def add_recipient(
    cursor: Cursor, queued_id: int, destination: int, new: NewRecipient, runner_id: int | None
) -> int | None:
    """A row of `recipient`; its id. `runner_id` is who has it, if it comes leased.

    None if the row of its destination is gone (`forgetting`).
    """
    leased = new.standing is Standing.LEASED
    row = cursor.one(
        _ADD_RECIPIENT,
        (
            queued_id,
            new.address,
            new.wishes,
            new.standing.value,
            new.due,
            1 if leased else 0,
            new.expires,
            new.look,
            runner_id if leased else None,
            destination,
        ),
    )
    return None if row is None else int(row[0])


def may_be_due(cursor: Cursor, destination: int, due: int) -> None:
    """A recipient of this destination waits until then: tell whoever looks for work."""
    cursor.run(_LOWER_DUE, (due, due, destination, due, due))
    cursor.notice(TOPIC, destination)


def recount_due(cursor: Cursor, destination: int) -> int | None:
    """Set when a destination is due from those who wait for it; that, before any rest."""
    row = cursor.one(_FIRST_DUE, (destination,))
    due = None if row is None else row[0]
    if due is None:
        cursor.run(_NO_DUE, (destination,))
    else:
        cursor.run(_SET_DUE, (due, due, destination))
    return due


def take_due(
    cursor: Cursor,
    destination: int,
    runner_id: int,
    now: int,
    most: int,
    way: Callable[[Message, Leased], Place | None],
    left: Collection[int] = (),
) -> tuple[list[Job], int]:
    """Lease what is due at a destination to this runner, the earliest first; the jobs, and how many rows were seen.

    Args:
        most: so many rows at most.
        way: to which destination a recipient belongs now, if it is another (routes may have changed while it waited):
            there it goes on waiting.
        left: ids of messages that are left to other runners; few.
    """
    jobs: dict[int, Job] = {}
    moved: dict[Place, list[int]] = {}
    but = f" AND r.queued_id NOT IN ({', '.join(map(str, sorted(left)))})" if left else ""
    rows = cursor.all(_DUE.format(but), (destination, now, most))
    for id_, address, wishes, attempts, expires, warned, queued_id in rows:
        job = jobs.get(queued_id)
        if job is None:
            job = jobs[queued_id] = Job(message=read_message(cursor, queued_id), recipients=[])
        recipient = read_recipient(address, wishes)
        leased = Leased(
            id=id_,
            recipient=recipient,
            attempts=attempts + 1,
            expires=expires,
            warned=warned,
            runner_id=runner_id,
        )
        place = way(job.message, leased)
        if place is not None:
            moved.setdefault(place, []).append(id_)
        elif cursor.run(_LEASE, (runner_id, id_)):
            job.recipients.append(leased)
    for place, ids in sorted(moved.items()):
        _move(cursor, destination_id(cursor, *place), ids)
    recount_due(cursor, destination)
    return [job for job in jobs.values() if job.recipients], len(rows)


def take_held(
    cursor: Cursor, destination: int, runner_id: int, now: int, after: int, most: int, *, untried: bool = False
) -> list[Job]:
    """Lease what is held at a destination to this runner, for who fetches it; the oldest first, from behind this id.

    `untried`: only what was never tried.
    """
    jobs: dict[int, Job] = {}
    rows = cursor.all(_HELD, (destination, after, now, FOREVER, 0 if untried else FOREVER, most))
    for id_, address, wishes, attempts, expires, warned, queued_id in rows:
        job = jobs.get(queued_id)
        if job is None:
            job = jobs[queued_id] = Job(message=read_message(cursor, queued_id), recipients=[])
        if cursor.run(_FETCH, (runner_id, id_)):
            job.recipients.append(
                Leased(
                    id=id_,
                    recipient=read_recipient(address, wishes),
                    attempts=attempts + 1,
                    expires=expires,
                    warned=warned,
                    runner_id=runner_id,
                )
            )
    return [job for job in jobs.values() if job.recipients]


def _move(cursor: Cursor, destination: int, ids: Sequence[int]) -> None:
    """These wait for another destination."""
    for id_ in ids:
        cursor.run(_MOVE, (destination, id_))
    recount_due(cursor, destination)
    cursor.notice(TOPIC, destination)


def read_message(cursor: Cursor, queued_id: int) -> Message:
    """A queued message."""
    row = cursor.one(_MESSAGE, (queued_id,))
    assert row is not None
    acceptance, content_id, sender, text, size, accepted, kind, sole = row
    envelope, wishes, origin, told = read_envelope(sender, text)
    return Message(
        id=queued_id,
        acceptance=acceptance,
        content_id=content_id,
        envelope=envelope,
        wishes=wishes,
        size=size,
        told=size if told is None else told,
        accepted=accepted,
        report=bool(kind),
        sole=bool(sole),
        client=origin.client,
        helo=origin.helo,
        facts=origin.facts,
    )


def end_recipients(cursor: Cursor, message: Message, some: Sequence[Leased], now: int) -> set[int]:
    """These recipients are done with: remove them, and the message with its last; those that were still ours."""
    ended = {leased.id for leased in some if cursor.run(_END, (leased.id, leased.runner_id))}
    if ended:
        fewer(cursor, message.id, len(ended), now)
    return ended


def more(cursor: Cursor, queued_id: int, rows: int) -> bool:
    """So many more rows keep the message; False if it is gone."""
    return bool(cursor.run(_MORE, (rows, queued_id)))


def fewer(cursor: Cursor, queued_id: int, ended: int, now: int) -> None:
    """So many rows that kept the message are gone; the last takes it along, and content that nobody else had."""
    row = cursor.one(_FEWER, (ended, queued_id))
    if row is None or row[0] > 0:
        return
    _, content_id, sole = row
    cursor.run(_FORGET_MESSAGE, (queued_id,))
    if not sole or not cursor.run(_FORGET_CONTENT, (content_id,)):
        note_orphan(cursor, content_id, now)


def note_orphan(cursor: Cursor, content_id: int, now: int) -> None:
    """Nothing of the queue refers to it any more: the store's collector looks whether anything else does."""
    cursor.run(_ORPHAN, (content_id, now))


def take_wish(cursor: Cursor, id_: int, runner_id: int) -> str | None:
    """What an administrator asked for while it was tried: "hold", or one of `removal`'s."""
    row = cursor.one(_WISH, (id_, runner_id))
    return None if row is None else row[0]


def defer_recipient(
    cursor: Cursor, leased: Leased, standing: Standing, due: int, look: int, reply: str, attempt: Attempt
) -> bool:
    """It waits again, or is held; False if it was not this runner's any more."""
    last = (attempt.server, attempt.at, leased.attempts)
    return bool(cursor.run(_DEFER, (standing.value, due, look, reply, *last, leased.id, leased.runner_id)))


def hold_waiting(cursor: Cursor, destination: int) -> None:
    """What was released and has not been tried is held again."""
    cursor.run(f"UPDATE recipient SET state = {_H} WHERE destination_id = ? AND state = {_W}", (destination,))
    recount_due(cursor, destination)


def rest_destination(cursor: Cursor, destination: int, until: int, failures: int, reply: str) -> None:
    """Nothing is tried there before `until`."""
    cursor.run(
        "UPDATE destination SET rest_until = ?, failures = ?, reply = ?,"
        " due = CASE WHEN due IS NULL OR due > ? THEN due ELSE ? END WHERE id = ?",
        (until, failures, reply, until, until, destination),
    )


def end_rest(cursor: Cursor, destination: int) -> None:
    """It can be reached again: what came meanwhile is due."""
    cursor.run("UPDATE destination SET rest_until = 0, failures = 0, reply = '' WHERE id = ?", (destination,))
    recount_due(cursor, destination)
    cursor.notice(TOPIC, destination)


def due_destinations(cursor: Cursor, now: int, after: tuple[int, int], most: int) -> list[Row]:
    """Destinations with something due, in order: (due, id, key, domain, route, rest_until, failures).

    `after`: due and id of the last one that was had.
    """
    return cursor.all(
        "SELECT due, id, key, domain, route, rest_until, failures FROM destination"
        " WHERE due IS NOT NULL AND due <= ? AND down_since IS NULL AND (due > ? OR (due = ? AND id > ?))"
        " ORDER BY due, id LIMIT ?",
        (now, after[0], after[0], after[1], most),
    )


def down_destinations(cursor: Cursor) -> frozenset[str]:
    """The keys of those whose link is down."""
    return frozenset(row[0] for row in cursor.all("SELECT key FROM destination WHERE down_since IS NOT NULL"))


def next_due(cursor: Cursor, now: int) -> int | None:
    """When the next destination becomes due, after now."""
    row = cursor.one(
        "SELECT min(due) FROM destination WHERE due IS NOT NULL AND due > ? AND down_since IS NULL", (now,)
    )
    return None if row is None else row[0]


def return_leased(
    cursor: Cursor, destination: int, ids: Sequence[int], runner_id: int, now: int, *, held: bool = False
) -> None:
    """These were leased and not tried: they wait again, or are held. One with a wish is left to who looks for leases
    that nobody has."""
    for id_ in ids:
        cursor.run(
            f"UPDATE recipient SET state = {_H if held else _W}, runner_id = NULL, attempts = attempts - 1, due = ?"
            f" WHERE id = ? AND runner_id = ? AND wish IS NULL AND {sources(Event.RETURNED)}",
            (now, id_, runner_id),
        )
    if not held:
        may_be_due(cursor, destination, now)
