"""Keywords of a mailbox: each in the spelling in which it came first (RFC 9051 §2.3.2: their case does not matter)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from worldmail.errors import LimitReached
from worldmail.interfaces.database import Cursor

MOST = 128
"""Keywords in one mailbox."""

LONGEST = 100
"""Octets of one."""

_ALL = "SELECT folded, name FROM keyword WHERE mailbox_id = ?"
_ADD = "INSERT INTO keyword (mailbox_id, folded, name) VALUES (?, ?, ?)"
_IN_USE = "SELECT DISTINCT keywords FROM mark WHERE mailbox_id = ? AND keywords IS NOT NULL"
_FORGET = "DELETE FROM keyword WHERE mailbox_id = ? AND folded = ?"

NAMES = "SELECT name FROM keyword WHERE mailbox_id = ? ORDER BY folded"


def spelled(cursor: Cursor, mailbox_id: int, keywords: Iterable[str], *, add: bool) -> list[str]:
    """These keywords as the mailbox spells them. `add` those that it does not have, else they are left out.

    Raises `LimitReached`.
    """
    wanted = {keyword.lower(): keyword for keyword in reversed([*keywords])}
    if not wanted:
        return []
    known: dict[str, str] = dict(cursor.all(_ALL, (mailbox_id,)))
    new = [folded for folded in wanted if folded not in known]
    if new and add:
        _check(cursor, mailbox_id, known, [wanted[folded] for folded in new])
        for folded in new:
            cursor.run(_ADD, (mailbox_id, folded, wanted[folded]))
            known[folded] = wanted[folded]
    return [known[folded] for folded in wanted if folded in known]


def _check(cursor: Cursor, mailbox_id: int, known: dict[str, str], new: list[str]) -> None:
    if any(len(keyword.encode()) > LONGEST for keyword in new):
        raise LimitReached(f"A keyword has at most {LONGEST} octets")
    if len(known) + len(new) > MOST:
        _forget_unused(cursor, mailbox_id, known)
    if len(known) + len(new) > MOST:
        raise LimitReached(f"A mailbox has at most {MOST} keywords")


def _forget_unused(cursor: Cursor, mailbox_id: int, known: dict[str, str]) -> None:
    in_use = {name.lower() for (names,) in cursor.all(_IN_USE, (mailbox_id,)) for name in names.split(" ")}
    for folded in [folded for folded in known if folded not in in_use]:
        cursor.run(_FORGET, (mailbox_id, folded))
        del known[folded]


def joined(keywords: Iterable[str]) -> str | None:
    """As they are kept: in one order, so that equal sets are equal."""
    return " ".join(sorted(set(keywords))) or None


Translate = Callable[[str | None], str | None]


def translation(cursor: Cursor, mailbox_id: int, all_keywords: Iterable[str | None]) -> Translate:
    """From keywords of other mailboxes, as they are kept, to this one's spelling. Raises `LimitReached`."""
    kept = {keywords for keywords in all_keywords if keywords}
    names = sorted({name for keywords in kept for name in keywords.split(" ")})
    spelling = {name.lower(): name for name in spelled(cursor, mailbox_id, names, add=True)}
    table = {keywords: joined(spelling[name.lower()] for name in keywords.split(" ")) for keywords in kept}
    return lambda keywords: None if keywords is None else table[keywords]
