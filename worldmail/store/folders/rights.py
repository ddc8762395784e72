"""Rights on mailboxes (RFC 4314): which letters there are, whom they are given to, what follows for one account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from worldmail.errors import BadName, NoRight, NoSuchMailbox
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import ANYONE, OBSOLETE_RIGHTS, OWNER_RIGHTS, Folder
from worldmail.mail.address import Address

_KNOWING = frozenset("lrikxa")

_OF_ACCOUNT = "SELECT identifier, rights FROM acl WHERE mailbox_id = ? AND identifier IN (?, ?, ?, ?)"


def ordered(letters: Iterable[str]) -> str:
    """The letters in the order in which rights are told."""
    present = frozenset(letters)
    return "".join(letter for letter in OWNER_RIGHTS if letter in present)


def expand(letters: str) -> str:
    """The rights that these letters mean, obsolete ones expanded (RFC 4314 §2.1.1). Raises `BadName` for others."""
    wanted = "".join(OBSOLETE_RIGHTS.get(letter, letter) for letter in letters)
    if not set(wanted) <= set(OWNER_RIGHTS):
        raise BadName("There is no such right")
    return ordered(wanted)


def identifier_key(identifier: str, domain: str) -> str:
    """An identifier as it is kept: "anyone" or an address's key, "-" in front where rights are taken away (§2).

    An address without a domain is one of `domain`. Raises `BadName`.
    """
    minus = "-" if identifier.startswith("-") else ""
    name = identifier.removeprefix("-")
    if name == ANYONE:
        return minus + ANYONE
    try:
        return minus + Address.parse(name).qualified(domain).key
    except ValueError:
        raise BadName("Rights are given to an address or to anyone") from None


def identifiers(account: Account) -> tuple[str, str, str, str]:
    """The identifiers that say something about an account."""
    key = account.address.key
    return key, ANYONE, f"-{key}", f"-{ANYONE}"


def effective(rows: Iterable[Sequence[str]]) -> str:
    """What is left of (identifier, rights) that speak of one account: what is given without what is taken away."""
    given: set[str] = set()
    taken: set[str] = set()
    for identifier, rights in rows:
        (taken if identifier.startswith("-") else given).update(rights)
    return ordered(given - taken) if given else ""


def rights_on(cursor: Cursor, mailbox_id: int, account: Account) -> str:
    """What an account that is not the owner may do."""
    return effective(cursor.all(_OF_ACCOUNT, (mailbox_id, *identifiers(account))))


def known(folder: Folder | None) -> Folder:
    """The folder, if the account may know of it: who could not even ask for its own rights may not (RFC 4314 §4).

    Raises `NoSuchMailbox`.
    """
    if folder is None or _KNOWING.isdisjoint(folder.rights):
        raise NoSuchMailbox
    return folder


def require(folder: Folder | None, needed: str) -> Folder:
    """The folder, if all the rights needed are there.

    Raises: `NoRight`; `NoSuchMailbox` where the account may not even know of it (§6).
    """
    if folder is None:
        raise NoSuchMailbox
    if set(needed) <= set(folder.rights):
        return folder
    if "l" in folder.rights:
        raise NoRight
    raise NoSuchMailbox
