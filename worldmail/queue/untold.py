"""What senders are still to be told of: rows, written in the unit that they tell of.

A row keeps its message in the queue, as a recipient does. It goes in the unit that accepts the report: whatever stops
at whatever moment, each thing that happened is in one report, and in no other.

The first row of a message says when it is told, so that what a transaction adds costs the same however much waits
already. What happened is decoded when a report is made, some rows at a time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from worldmail.interfaces.database import Cursor, Row
from worldmail.mail.dsn.values import Action, Happening
from worldmail.queue.jobs import Message, read_recipient, write_wishes
from worldmail.queue.rows import FOREVER, fewer, more, read_message

QUIET = 5
"""Seconds for which others of the same message are waited for, that may come into the same report."""

LONGEST = 30
"""Seconds after which the first is told, whatever else goes on."""

MOST = 300
"""Recipients in one report: what can be composed and written down without holding up anything else."""

ROOM = 100_000
"""Characters of rows in one report, for the same reason."""

SLICE = 100
"""Rows that are decoded at a time: a millisecond."""

BEHIND = 3600
"""Seconds after which a row that is not its message's first one counts by itself. It should not come to that: whoever
takes the first away sees to the next."""

_FIRST = "SELECT id, at, due FROM untold WHERE queued_id = ? ORDER BY id LIMIT 1"
_ADD = "INSERT INTO untold (queued_id, at, due, happening) VALUES (?, ?, ?, ?)"
_LATER = "UPDATE untold SET due = ? WHERE id = ? AND due < ?"
_AT = "UPDATE untold SET due = ? WHERE id = ?"
_OTHERS = "UPDATE untold SET due = ? WHERE queued_id = ? AND id > ? AND due < ?"
_SO_MANY = "SELECT 1 FROM untold WHERE queued_id = ? LIMIT 1 OFFSET ?"
_READ = "SELECT id, at, happening FROM untold WHERE queued_id = ? AND id > ? ORDER BY id LIMIT ?"
_TOLD = "DELETE FROM untold WHERE queued_id = ? AND id >= ? AND id <= ?"
_DUE = "SELECT queued_id FROM untold WHERE due <= ? ORDER BY due, id LIMIT ?"
_BUSY = (
    "SELECT r.id FROM recipient r JOIN destination d ON d.id = r.destination_id WHERE r.queued_id = ? AND r.id >= ?"
    " AND r.id < ? AND (r.state = 2 OR (r.state = 0 AND d.down_since IS NULL AND (r.look <= ?"
    " OR (r.due <= ? AND d.rest_until <= ?)))) LIMIT 1"
)

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@frozen(kw_only=True)
class Untold:
    """What is to be told of one message in one report, as far as it was read: from row `first` to row `last`.

    Args:
        at: when the first of it happened.
        size: characters of its rows.
        whole: this is all that comes into the report.
    """

    message: Message
    first: int
    last: int
    at: int
    happenings: tuple[Happening, ...] = ()
    size: int = 0
    whole: bool = False


@frozen
class Outlook:
    """When a message is told of.

    Attributes:
        busy: one of its recipients that is being tried, or is due, or late, so that more may come into the report;
            None if it is time to make it.
    """

    busy: int | None


def add_untold(cursor: Cursor, queued_id: int, happenings: Sequence[Happening], now: int) -> bool:
    """Let these be told; False if the message is not in the queue any more."""
    if not happenings:
        return True
    if not more(cursor, queued_id, len(happenings)):
        return False
    before = cursor.one(_FIRST, (queued_id,))
    full = _is_full(cursor, queued_id)
    cursor.run_many(_ADD, [(queued_id, now, now + BEHIND, write_happening(one)) for one in happenings])
    first = before or cursor.one(_FIRST, (queued_id,))
    assert first is not None
    id_, at, _ = first
    soon = min(now + QUIET, at + LONGEST)
    if not full and _is_full(cursor, queued_id):
        cursor.run(_AT, (now, id_))
    elif before is None:
        cursor.run(_AT, (soon, id_))
    else:  # not sooner: it may have been put off
        cursor.run(_LATER, (soon, id_, soon))
    return True


def _is_full(cursor: Cursor, queued_id: int) -> bool:
    """There is enough for a report."""
    return cursor.one(_SO_MANY, (queued_id, MOST - 1)) is not None


def put_off(cursor: Cursor, queued_id: int, due: int) -> None:
    """It is told then, not before."""
    first = cursor.one(_FIRST, (queued_id,))
    if first is not None:
        cursor.run(_AT, (due, first[0]))
        cursor.run(_OTHERS, (due + BEHIND, queued_id, first[0], due))


def outlook(cursor: Cursor, queued_id: int, now: int, seen: int) -> Outlook | None:
    """Whether it is time to tell of a message; None if there is nothing to tell. Decodes nothing.

    Args:
        seen: whom it was waited for when this was asked before, or 0: those behind are looked at first, so that
            nobody is looked at again and again.
    """
    first = cursor.one(_FIRST, (queued_id,))
    if first is None:
        return None
    if first[2] <= now:
        return Outlook(None)
    for low, high in ((seen, FOREVER), (0, seen)):
        busy = cursor.one(_BUSY, (queued_id, low, high, now, now, now)) if low < high else None
        if busy is not None:
            return Outlook(busy[0])
    return Outlook(None)


def read_untold(cursor: Cursor, queued_id: int, so_far: Untold | None = None) -> Untold | None:
    """What is to be told of a message, `SLICE` rows more of it than `so_far`; None for nothing."""
    after, wanted = (0, MOST) if so_far is None else (so_far.last, MOST - len(so_far.happenings))
    rows = cursor.all(_READ, (queued_id, after, min(SLICE, wanted)))
    if so_far is None:
        if not rows:
            return None
        so_far = Untold(message=read_message(cursor, queued_id), first=rows[0][0], last=rows[0][0], at=rows[0][1])
    taken, size = _fitting(rows, so_far)
    return evolve(
        so_far,
        last=taken[-1][0] if taken else so_far.last,
        happenings=so_far.happenings + tuple([read_happening(row[2], so_far.message.acceptance) for row in taken]),
        size=size,
        whole=len(taken) < SLICE or len(taken) == wanted,
    )


def _fitting(rows: Sequence[Row], so_far: Untold) -> tuple[list[Row], int]:
    """Those for which there is room in the report, one at least, and how large it is with them."""
    taken: list[Row] = []
    size = so_far.size
    for row in rows:
        if size and size + len(row[2]) > ROOM:
            break
        taken.append(row)
        size += len(row[2])
    return taken, size


def remove_untold(cursor: Cursor, untold: Untold, now: int) -> bool:
    """It is told; False if some of it was told by another meanwhile."""
    queued_id, count = untold.message.id, len(untold.happenings)
    if cursor.run(_TOLD, (queued_id, untold.first, untold.last)) != count:
        return False
    next_one = cursor.one(_FIRST, (queued_id,))
    if next_one is not None:
        cursor.run(_AT, (next_one[1] + QUIET, next_one[0]))
    fewer(cursor, queued_id, count, now)
    return True


def due_untold(cursor: Cursor, now: int, most: int) -> list[int]:
    """Messages of which something is to be told, the earliest first; none if there is none."""
    return list(dict.fromkeys(row[0] for row in cursor.all(_DUE, (now, most))))


def still_untold(cursor: Cursor, ids: Sequence[int]) -> set[int]:
    """Those of these messages of which something is to be told."""
    return {id_ for id_ in ids if cursor.one(_FIRST, (id_,)) is not None}


def write_happening(happening: Happening) -> str:
    """As a row keeps it."""
    recipient = happening.recipient
    kept: dict[str, Any] = {
        "to": str(recipient.address),
        "wishes": write_wishes(recipient),
        "action": happening.action.value,
        "status": happening.status,
        "reason": happening.reason,
        "server": happening.server,
        "reply": happening.reply,
        "last": happening.last_attempt,
        "until": happening.retry_until,
    }
    return _to_json({name: value for name, value in kept.items() if value not in (None, "")})


def read_happening(text: str, log_id: str) -> Happening:
    """The reverse of `write_happening`."""
    kept: dict[str, Any] = json.loads(text)
    return Happening(
        recipient=read_recipient(kept["to"], kept.get("wishes")),
        action=Action(kept["action"]),
        status=kept["status"],
        reason=kept.get("reason", ""),
        server=kept.get("server"),
        reply=kept.get("reply"),
        last_attempt=kept.get("last"),
        retry_until=kept.get("until"),
        log_id=log_id,
    )
