"""Which queued recipients an administrator means, in SQL; what is read of them."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from worldmail.errors import BadValue
from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.queue import (
    DestinationState,
    QueueCounters,
    QueuedMessage,
    QueuedRecipient,
    Selection,
    Standing,
)
from worldmail.mail.domain import in_letters, normal_domain
from worldmail.queue.rows import FOREVER
from worldmail.queue.tally import read_counts, read_destinations

SLICE = 500
"""Recipients that one unit changes."""

LINK_DOWN = "Its link is down"
"""Why something waits for which a link is to come up."""

_FROM = " FROM recipient r JOIN queued q ON q.id = r.queued_id JOIN destination d ON d.id = r.destination_id"
_MATCHED = (
    "SELECT r.id, r.queued_id, r.destination_id, r.address, r.wishes, r.state, r.due, r.expires, r.attempts,"
    f" q.acceptance, q.accepted, q.sender, r.runner_id{_FROM}"
)
_SHOWN = (
    "SELECT q.id, q.acceptance, q.sender, q.size, q.accepted, q.priority, r.id, r.address, r.state, d.key, r.due,"
    f" r.attempts, r.expires, r.reply, d.rest_until, d.reply, d.down_since, r.look{_FROM}"
)
_DESTINATIONS = (
    "SELECT d.key, sum(CASE WHEN r.state = 0 THEN 1 ELSE 0 END), sum(CASE WHEN r.state = 1 THEN 1 ELSE 0 END),"
    " sum(CASE WHEN r.state = 2 THEN 1 ELSE 0 END), min(q.accepted), d.rest_until, d.failures,"
    " CASE WHEN d.reply <> '' THEN d.reply ELSE coalesce(max(r.reply), '') END, sum(r.attempts), d.down_since"
    f"{_FROM} GROUP BY d.id, d.key, d.rest_until, d.failures, d.reply, d.down_since"
    " ORDER BY count(*) DESC, d.key LIMIT ?"
)
_IN_DOMAIN = "lower(r.address) LIKE ? ESCAPE '!'"
_STATES = "SELECT state, count(*) FROM recipient GROUP BY state"


@frozen(kw_only=True)
class Matched:
    """One recipient that is meant, as a unit changes it."""

    id: int
    queued_id: int
    destination_id: int
    address: str
    wishes: str | None
    standing: Standing
    due: int
    expires: int
    attempts: int
    acceptance: str
    accepted: int
    sender: str
    runner_id: int | None


def where(selection: Selection) -> tuple[str, list[object]]:
    """The condition, and its parameters. Raises `BadValue`."""
    conditions: list[str] = []
    parameters: list[object] = []

    def add(condition: str, *values: object) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if selection.id is not None:
        add("q.acceptance = ?", selection.id.upper())
    if selection.recipient is not None:
        add("(lower(r.address) = ? OR r.address = ?)", selection.recipient.lower(), selection.recipient)
    if selection.sender is not None:
        sender = "" if selection.sender == "<>" else selection.sender
        add("(lower(q.sender) = ? OR q.sender = ?)", sender.lower(), sender)
    if selection.domain is not None:
        patterns = [f"%@{literal(spelling)}" for spelling in _spellings(selection.domain)]
        add(f"({' OR '.join([_IN_DOMAIN] * len(patterns))})", *patterns)
    if selection.destination is not None:
        add("d.key LIKE ? ESCAPE '!'", f"{literal(selection.destination)}%")
    if selection.route is not None:
        name = selection.route
        add("(d.route = ? OR d.route = ? OR d.key = ?)", name, f"hold:{name}", f"hold {name}")
    if selection.standing is not None:
        add("r.state = ?", selection.standing.value)
    return " AND ".join(conditions) or "1 = 1", parameters


def matched(cursor: Cursor, selection: Selection, after: int, states: Sequence[Standing]) -> list[Matched]:
    """The next recipients that are meant, in the order of their ids."""
    condition, parameters = where(selection)
    wanted = ", ".join(str(state.value) for state in states)
    rows = cursor.all(
        f"{_MATCHED} WHERE {condition} AND r.id > ? AND r.state IN ({wanted}) ORDER BY r.id LIMIT ?",
        [*parameters, after, SLICE],
    )
    return [
        Matched(
            id=row[0],
            queued_id=row[1],
            destination_id=row[2],
            address=row[3],
            wishes=row[4],
            standing=Standing(row[5]),
            due=row[6],
            expires=row[7],
            attempts=row[8],
            acceptance=row[9],
            accepted=row[10],
            sender=row[11],
            runner_id=row[12],
        )
        for row in rows
    ]


def shown(cursor: Cursor, selection: Selection, limit: int) -> list[QueuedMessage]:
    """The oldest messages with recipients that are meant, and these."""
    condition, parameters = where(selection)
    ids = [
        row[0]
        for row in cursor.all(
            f"SELECT DISTINCT q.id{_FROM} WHERE {condition} ORDER BY q.id LIMIT ?", [*parameters, limit]
        )
    ]
    found: list[QueuedMessage] = []
    for id_ in ids:
        rows = cursor.all(f"{_SHOWN} WHERE {condition} AND q.id = ? ORDER BY r.id", [*parameters, id_])
        _, acceptance, sender, size, accepted, priority = rows[0][:6]
        found.append(
            QueuedMessage(
                id=acceptance,
                sender=sender,
                size=size,
                accepted=accepted,
                priority=priority,
                recipients=tuple(map(_recipient, rows)),
            )
        )
    return found


def _recipient(row: Row) -> QueuedRecipient:
    """One that waits while its destination rests is not tried before the rest is over, for the reason of the rest."""
    standing, due, reply, rest_until, why = Standing(row[8]), row[10], row[13] or "", row[14], row[15]
    if standing is Standing.WAITING and due < rest_until:
        due, reply = rest_until, reply or why
    if standing is Standing.WAITING and row[16] is not None:
        reply = LINK_DOWN
    return QueuedRecipient(
        id=row[6],
        address=row[7],
        standing=standing,
        destination=row[9],
        due=due,
        attempts=row[11],
        expires=row[12] if row[17] < FOREVER else 0,
        reply=reply,
    )


def destinations(cursor: Cursor, limit: int) -> list[DestinationState]:
    """Destinations with mail, those with the most first."""
    replies = read_destinations(cursor)
    return [
        DestinationState(
            key=row[0],
            waiting=int(row[1]),
            held=int(row[2]),
            leased=int(row[3]),
            oldest=row[4],
            until=row[5],
            failures=row[6],
            reply=row[7] if row[9] is None else LINK_DOWN,
            attempts=int(row[8]),
            replies=replies.get(row[0], {}),
        )
        for row in cursor.all(_DESTINATIONS, (limit,))
    ]


def counters(cursor: Cursor) -> QueueCounters:
    """The whole in figures."""
    messages, octets, oldest = cursor.one("SELECT count(*), sum(size), min(accepted) FROM queued") or (0, 0, 0)
    states: dict[int, int] = {row[0]: row[1] for row in cursor.all(_STATES)}
    untold = cursor.one("SELECT count(*) FROM untold") or (0,)
    return QueueCounters(
        messages=messages,
        recipients={standing: states.get(standing.value, 0) for standing in Standing},
        octets=int(octets or 0),
        oldest=oldest or 0,
        replies=read_counts(cursor),
        destinations=read_destinations(cursor),
        untold=untold[0],
    )


def _spellings(text: str) -> list[str]:
    """How addresses may have this domain: of A-labels, of U-labels, as it was said. Raises `BadValue`."""
    try:
        domain = normal_domain(text)
    except ValueError:
        raise BadValue(f"{text!r} is no domain") from None
    letters = in_letters(domain)
    # Not every database knows the small and the large of letters beyond a to z.
    return list(dict.fromkeys((domain, letters, letters.upper(), text)))


def literal(text: str) -> str:
    """Text as LIKE takes it literally."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
