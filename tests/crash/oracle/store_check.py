"""What the store itself says, read past the server: no half of anything, no content missing or changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import apsw

_QUESTIONS = {
    "mailbox {} counts {} messages and {} octets but has {} and {}": (
        "SELECT m.id, m.messages, m.octets, count(r.uid), coalesce(sum(r.size), 0) FROM mailbox m"
        " LEFT JOIN message r ON r.mailbox_id = m.id GROUP BY m.id"
        " HAVING m.messages <> count(r.uid) OR m.octets <> coalesce(sum(r.size), 0)"
    ),
    "mailbox {} has UID {} at or above its UIDNEXT {}": (
        "SELECT m.id, max(r.uid), m.uidnext FROM mailbox m JOIN message r ON r.mailbox_id = m.id"
        " GROUP BY m.id HAVING max(r.uid) >= m.uidnext"
    ),
    "mailbox {} has UID {} both there and expunged": (
        "SELECT r.mailbox_id, r.uid FROM message r JOIN expunged e ON e.mailbox_id = r.mailbox_id AND e.uid = r.uid"
    ),
    "mailbox {} counts {} seen, {} deleted of {} octets but has {}, {} of {}": (
        "SELECT * FROM (SELECT m.id, m.seen, m.deleted, m.deleted_octets, coalesce(sum(k.flags & 1), 0) AS s,"
        " coalesce(sum((k.flags & 8) / 8), 0) AS d, coalesce(sum((k.flags & 8) / 8 * r.size), 0) AS o"
        " FROM mailbox m LEFT JOIN message r ON r.mailbox_id = m.id"
        " LEFT JOIN mark k ON k.mailbox_id = r.mailbox_id AND r.uid BETWEEN k.first AND k.last GROUP BY m.id)"
        " WHERE seen <> s OR deleted <> d OR deleted_octets <> o"
    ),
    "mailbox {} has UID {} with MODSEQ {} above its HIGHESTMODSEQ {}": (
        "SELECT m.id, r.uid, max(r.arrived, coalesce(k.modseq, 0)) AS n, m.highestmodseq FROM mailbox m"
        " JOIN message r ON r.mailbox_id = m.id"
        " LEFT JOIN mark k ON k.mailbox_id = r.mailbox_id AND r.uid BETWEEN k.first AND k.last"
        " WHERE n > m.highestmodseq"
    ),
    "mailbox {} has flags of UIDs {} to {}, of which none is there": (
        "SELECT k.mailbox_id, k.first, k.last FROM (SELECT mailbox_id, first, last FROM mark"
        " UNION ALL SELECT mailbox_id, uid, uid FROM seen) k WHERE NOT EXISTS (SELECT 1 FROM message r"
        " WHERE r.mailbox_id = k.mailbox_id AND r.uid BETWEEN k.first AND k.last)"
    ),
    "mailbox {} has flags of UIDs {} to {}, and others of {}": (
        "SELECT k.mailbox_id, k.first, k.last, o.first FROM mark k JOIN mark o ON o.mailbox_id = k.mailbox_id"
        " AND o.first > k.first AND o.first <= k.last"
    ),
    "mailbox {} has flags of UIDs up to {}, but its UIDNEXT is {}": (
        "SELECT k.mailbox_id, k.last, m.uidnext FROM mark k JOIN mailbox m ON m.id = k.mailbox_id"
        " WHERE k.last >= m.uidnext"
    ),
    "content {} is forgotten: nothing refers to it, and nobody noted that": (
        "SELECT id FROM content c WHERE NOT EXISTS (SELECT 1 FROM message r WHERE r.content_id = c.id)"
        " AND NOT EXISTS (SELECT 1 FROM queued q WHERE q.content_id = c.id)"
        " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id)"
    ),
    "message {} of mailbox {} refers to content {}, which is not there": (
        "SELECT r.uid, r.mailbox_id, r.content_id FROM message r LEFT JOIN content c ON c.id = r.content_id"
        " WHERE c.id IS NULL"
    ),
    "message {} of mailbox {} has size {} but prefix and content have {}": (
        "SELECT r.uid, r.mailbox_id, r.size, length(r.prefix) + c.size FROM message r JOIN content c"
        " ON c.id = r.content_id WHERE r.size <> length(r.prefix) + c.size"
    ),
}


def contradictions(directory: Path) -> Iterator[str]:
    """Everything that cannot be right in the embedded store of a server that is down."""
    database = find_database(directory)
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        yield from questions(connection)
        yield from _wrong_content(connection, directory)
    finally:
        connection.close()


def questions(connection: apsw.Connection) -> Iterator[str]:
    """Everything that cannot be right in its tables."""
    for (verdict,) in connection.execute("PRAGMA integrity_check(1)").fetchall():
        if verdict != "ok":
            yield f"integrity_check: {verdict}"
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"foreign key: {row}"
    for sentence, question in _QUESTIONS.items():
        for row in connection.execute(question):
            yield sentence.format(*row)


def _begins(path: Path) -> bytes:
    """How a file begins; b"" for what is none, or is gone meanwhile: content comes and goes."""
    try:
        with path.open("rb") as file:
            return file.read(15)
    except (FileNotFoundError, IsADirectoryError):
        return b""


def find_database(directory: Path) -> Path:
    """The one SQLite file in a data directory that holds what cannot be made again."""
    found = [path for path in directory.rglob("*") if _begins(path) == b"SQLite format 3"]
    found = [path for path in found if path.name != "derived.sqlite"]
    live = [path for path in found if "backup" not in path.name and "backups" not in path.parts]
    assert len(live) == 1, f"expected one database below {directory}, found {live}"
    return live[0]


def _wrong_content(connection: apsw.Connection, directory: Path) -> Iterator[str]:
    rows = connection.execute(
        "SELECT id, digest, size, inline, place FROM content c"
        " WHERE EXISTS (SELECT 1 FROM message r WHERE r.content_id = c.id)"
        " OR EXISTS (SELECT 1 FROM queued q WHERE q.content_id = c.id)"
    )
    for number, digest, size, inline, place in rows:
        octets = inline if place is None else _octets(directory, place)
        if octets is None:
            yield f"content {number}: nothing at its place {place}"
        elif len(octets) != size or hashlib.sha256(octets).digest() != digest:
            yield f"content {number}: {len(octets)} octets are not the {size} that its digest names"


def _octets(directory: Path, place: str) -> bytes | None:
    name = place.rpartition("/")[2]
    found = [path for path in directory.rglob(name) if path.is_file()]
    return found[0].read_bytes() if len(found) == 1 else None
