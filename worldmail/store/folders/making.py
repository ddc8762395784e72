"""Units of work that make and rename mailboxes."""

from __future__ import annotations

from attrs import frozen

from worldmail.errors import BadName, LimitReached, MailboxExists, NoRight, NotPermitted, UseNotOffered
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import SPECIAL_USES
from worldmail.store.folders.names import INBOX, LENGTH, LEVELS, Place, above, locate
from worldmail.store.folders.rights import require, rights_on
from worldmail.store.folders.rows import see
from worldmail.store.folders.told import tell_lists
from worldmail.store.provision import add_mailbox

MOST = 10_000
"""Mailboxes of one account."""

_OWNER = "SELECT id FROM account WHERE address = ? AND enabled >= 0"
_BELOW = "SELECT id, name FROM mailbox WHERE account_id = ? AND name > ? AND name < ? ORDER BY name"
_INHERIT = "INSERT INTO acl (mailbox_id, identifier, rights) SELECT ?, identifier, rights FROM acl WHERE mailbox_id = ?"
_COPY_ANNOTATIONS = (
    "INSERT INTO annotation (mailbox_id, account_id, entry, value)"
    " SELECT ?, account_id, entry, value FROM annotation WHERE mailbox_id = ?"
)


def create(cursor: Cursor, account: Account, name: str, special_use: str | None, now: int) -> None:
    """Make a mailbox of this new, checked name, and the levels above it."""
    check_use(special_use)
    spot = _spot(cursor, account, locate(name, account))
    if spot.mailbox_id is not None:
        raise MailboxExists
    if special_use is not None and spot.owner_id != account.id:
        raise NoRight("Only its owner says what a mailbox is for")
    _room(cursor, spot.owner_id, len(spot.missing) + 1)
    _make(cursor, spot, [*spot.missing, spot.path], special_use, now)


def check_use(special_use: str | None) -> None:
    """Raise `UseNotOffered` unless mailboxes can be for this (RFC 6154 §3)."""
    if special_use is not None and special_use not in SPECIAL_USES:
        raise UseNotOffered


def rename(cursor: Cursor, account: Account, name: str, to: str, now: int) -> None:
    """Rename a mailbox with all below it; of INBOX move the messages to a new mailbox (RFC 9051 §6.3.6)."""
    source = locate(name, account)
    folder = require(see(cursor, account, source), "x")
    if source.is_inbox and folder.owner != account.id:
        raise NoRight
    target = locate(to, account)
    if target.path.startswith(f"{source.path}/") and target.owner == source.owner and not source.is_inbox:
        raise BadName("A mailbox cannot go below itself")
    spot = _spot(cursor, account, target)
    if spot.owner_id != folder.owner:
        raise NotPermitted("Mailboxes do not move from one account to another")
    if spot.mailbox_id is not None:
        raise MailboxExists
    _room(cursor, spot.owner_id, len(spot.missing) + source.is_inbox)
    _make(cursor, spot, spot.missing, None, now)
    if source.is_inbox:
        _move_inbox(cursor, folder.id, spot, now)
    else:
        _move(cursor, folder.id, source.path, spot)


@frozen(kw_only=True)
class _Spot:
    """Where a mailbox is to be: below which one, and which levels in between are missing.

    `mailbox_id` is of what is there already.
    """

    owner_id: int
    path: str
    mailbox_id: int | None
    parent_id: int | None
    missing: list[str]


def _spot(cursor: Cursor, account: Account, place: Place) -> _Spot:
    """Where `account` may make a mailbox at this place.

    Raises: `BadName` for a level of a namespace; `NoRight` without the right k on the nearest mailbox above
        (RFC 4314 §4), which is told alike of what there is and what there is not.
    """
    if not place.path:
        raise BadName("Such a name belongs to a namespace")
    owner_id: int | None = account.id
    if place.owner is not None:
        row = cursor.one(_OWNER, (place.owner,))
        owner_id = None if row is None else row[0]
    if owner_id is None:
        raise NoRight
    levels = above(place.path)
    marks = ", ".join("?" * (len(levels) + 1))
    rows = cursor.all(
        f"SELECT name, id FROM mailbox WHERE account_id = ? AND name IN ({marks})", (owner_id, *levels, place.path)
    )
    there = {row[0]: int(row[1]) for row in rows}
    mailbox_id = there.pop(place.path, None)
    parent_id = there[max(there, key=len)] if there else None
    if owner_id != account.id and (parent_id is None or "k" not in rights_on(cursor, parent_id, account)):
        raise NoRight
    missing = [level for level in levels if level not in there]
    return _Spot(owner_id=owner_id, path=place.path, mailbox_id=mailbox_id, parent_id=parent_id, missing=missing)


def _room(cursor: Cursor, account_id: int, more: int) -> None:
    row = cursor.one("SELECT count(*) FROM mailbox WHERE account_id = ?", (account_id,))
    if row is not None and row[0] + more > MOST:
        raise LimitReached("There are too many mailboxes")


def _make(cursor: Cursor, spot: _Spot, paths: list[str], special_use: str | None, now: int) -> None:
    """Empty mailboxes, with the rights of the one above them (RFC 4314 §3); the last one is for `special_use`."""
    made = []
    for path in paths:
        made.append(add_mailbox(cursor, spot.owner_id, path, special_use if path == spot.path else None, now))
        if spot.parent_id is not None:
            cursor.run(_INHERIT, (made[-1], spot.parent_id))
    if made:
        tell_lists(cursor, spot.owner_id, made[:1])  # all have the same rights


def _move_inbox(cursor: Cursor, mailbox_id: int, spot: _Spot, now: int) -> None:
    """The mailbox with the messages gets the new name, and an empty one takes its place with all that is said of it."""
    cursor.run("UPDATE mailbox SET name = ? WHERE id = ?", (spot.path, mailbox_id))
    inbox = add_mailbox(cursor, spot.owner_id, INBOX, None, now)
    cursor.run("UPDATE acl SET mailbox_id = ? WHERE mailbox_id = ?", (inbox, mailbox_id))
    cursor.run(_COPY_ANNOTATIONS, (inbox, mailbox_id))
    if spot.parent_id is not None:
        cursor.run(_INHERIT, (mailbox_id, spot.parent_id))
    cursor.notice("mailbox", mailbox_id)
    tell_lists(cursor, spot.owner_id, (inbox, mailbox_id))


def _move(cursor: Cursor, mailbox_id: int, path: str, spot: _Spot) -> None:
    below = cursor.all(_BELOW, (spot.owner_id, f"{path}/", f"{path}0"))  # "0" comes after "/"
    moves = [(spot.path, mailbox_id)]
    moves += [(spot.path + name[len(path) :], number) for number, name in below]
    _check_lengths(moves)
    moving = {number for _, number in moves}
    rows = cursor.all(_BELOW, (spot.owner_id, f"{spot.path}/", f"{spot.path}0"))
    there = {name for number, name in rows if number not in moving}
    if any(name in there for name, _ in moves):
        raise MailboxExists
    if path.startswith(f"{spot.path}/"):
        # Upwards: a new name may be the old one of another that moves, so all step aside first.
        cursor.run_many("UPDATE mailbox SET name = ? WHERE id = ?", [(f"\x01{each}", each) for each in sorted(moving)])
    cursor.run_many("UPDATE mailbox SET name = ? WHERE id = ?", moves)
    for number in moving:
        cursor.notice("mailbox", number)
    tell_lists(cursor, spot.owner_id, moving)


def _check_lengths(moves: list[tuple[str, int]]) -> None:
    if any(len(name) > LENGTH or name.count("/") >= LEVELS for name, _ in moves):
        raise BadName("A name below it would be too long or have too many levels")


def set_use(cursor: Cursor, account: Account, name: str, special_use: str | None) -> None:
    """Say what a mailbox of the account's own is for."""
    folder = require(see(cursor, account, locate(name, account)), "l")
    if folder.owner != account.id:
        raise NoRight("Only its owner says what a mailbox is for")
    if folder.special_use != special_use:
        cursor.run("UPDATE mailbox SET special_use = ? WHERE id = ?", (special_use, folder.id))
        cursor.notice("mailbox", folder.id)
        cursor.notice("folders", account.id)
