"""What an agent took from a remote mailbox already: rows of the table fetched, as units of work.

A name is written in the unit that accepts its message, and goes when the server does not list it any more. With it
stands a digest of the message if it stays there: a server that begins to give other names (another UIDVALIDITY, another
program) has nothing taken in a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from worldmail.interfaces.database import Cursor
from worldmail.mail.header import Header

SLICE = 500
"""Names that one unit forgets."""

BY_HEADER = "sha256:"
"""How names begin that we made ourselves, for a server that gives none."""

SHARED = "shared:"
"""How names begin of messages to which a server gives the same name."""

FRESH = 100 * 86400
"""Seconds after which what is remembered of some recipients is remembered anew (the table is of rows that go)."""

_LONGEST = 200
# What servers change in a message that lies there.
_CHANGING = (b"status", b"x-status", b"x-uidl", b"x-keywords", b"x-uid", b"x-imap", b"x-imapbase")


def remembered(cursor: Cursor, agent: str) -> dict[str, int]:
    """The names of what was taken, and when."""
    return {row[0]: row[1] for row in cursor.all("SELECT message, at FROM fetched WHERE agent = ?", (agent,))}


def remember(cursor: Cursor, agent: str, name: str, now: int, digest: str = "") -> bool:
    """It is taken by the unit that this is a part of. False if it was before."""
    sql = "INSERT INTO fetched (agent, message, at, digest) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
    return bool(cursor.run(sql, (agent, name, now, digest)))


def digests(cursor: Cursor, agent: str, names: Collection[str]) -> dict[str, list[str]]:
    """Those of these names that have one, by digest."""
    found: dict[str, list[str]] = {}
    for digest, name in cursor.all("SELECT digest, message FROM fetched WHERE agent = ? AND digest <> ''", (agent,)):
        if name in names:
            found.setdefault(digest, []).append(name)
    return found


def rename(cursor: Cursor, agent: str, old: str, new: str) -> bool:
    """What was fetched under a name has another one now. False if that is not true any more."""
    if cursor.one("SELECT 1 FROM fetched WHERE agent = ? AND message = ?", (agent, new)) is not None:
        return False
    return bool(cursor.run("UPDATE fetched SET message = ? WHERE agent = ? AND message = ?", (new, agent, old)))


def forget(cursor: Cursor, agent: str, names: Collection[str]) -> None:
    """They are not there any more."""
    cursor.run_many("DELETE FROM fetched WHERE agent = ? AND message = ?", [(agent, name) for name in names])


def freshen_parts(cursor: Cursor, agent: str, now: int) -> None:
    """They are kept for as long as this is said now and then."""
    cursor.run("UPDATE arrived SET at = ? WHERE relay = ? AND at < ?", (now, _mark(agent), now - FRESH))


def parts(cursor: Cursor, agent: str) -> dict[str, frozenset[str]]:
    """The names of what some have and others do not, and who has it."""
    found: dict[str, set[str]] = {}
    for name, place in cursor.all("SELECT message, recipient FROM arrived WHERE relay = ?", (_mark(agent),)):
        found.setdefault(name, set()).add(place)
    return {name: frozenset(places) for name, places in found.items()}


def parts_of(cursor: Cursor, agent: str, name: str) -> frozenset[str]:
    """Who has this one, while others do not."""
    sql = "SELECT recipient FROM arrived WHERE relay = ? AND message = ?"
    return frozenset(row[0] for row in cursor.all(sql, (_mark(agent), name)))


def note_parts(cursor: Cursor, agent: str, name: str, places: Collection[str], now: int) -> None:
    """These have it from now on."""
    rows = [(_mark(agent), name, place, now) for place in sorted(places)]
    cursor.run_many("INSERT INTO arrived (relay, message, recipient, at) VALUES (?, ?, ?, ?)", rows)


def forget_parts(cursor: Cursor, agent: str, names: Collection[str]) -> None:
    """All have it, or it is not there any more."""
    sql = "DELETE FROM arrived WHERE relay = ? AND message = ?"
    cursor.run_many(sql, [(_mark(agent), name) for name in names])


def forget_all(cursor: Cursor, agent: str) -> None:
    """Another mailbox begins anew."""
    cursor.run("DELETE FROM fetched WHERE agent = ?", (agent,))
    cursor.run("DELETE FROM arrived WHERE relay = ?", (_mark(agent),))


def _mark(agent: str) -> str:
    """What stands in the table in the place of a relay's name: none has a blank in it."""
    return f"agent {agent}"


def slices(names: Sequence[str]) -> list[Sequence[str]]:
    """As many as one unit forgets."""
    return [names[at : at + SLICE] for at in range(0, len(names), SLICE)]


def kept_name(unique: str) -> str:
    """A server's name for a message as it is kept (RFC 1939 §7 has 70 characters; who sends more is bounded)."""
    if len(unique) <= _LONGEST and not unique.startswith((BY_HEADER, SHARED)) and unique.isprintable():
        return unique
    return f"long:{_digest(unique)}"


def name_by_header(header: bytes) -> str:
    """A name for a message of a server that gives none: two with the same fields are the same message."""
    return BY_HEADER + hashlib.sha256(lasting(header)).hexdigest()


def lasting(header: bytes) -> bytes:
    """The fields that servers leave as they are."""
    return Header(header).without(_CHANGING)


def name_by_both(unique: str, header: bytes) -> str:
    """A name for one of several messages to which a server gives the same."""
    return shared(unique) + name_by_header(header)


def shared(unique: str) -> str:
    """How the names begin of those to which a server gives this one."""
    return f"{SHARED}{_digest(unique)}:"


def _digest(unique: str) -> str:
    return hashlib.sha256(unique.encode("utf-8", "replace")).hexdigest()
