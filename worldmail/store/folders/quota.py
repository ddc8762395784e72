"""Quota roots (RFC 9208): an account, and its domain if that has a quota."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import QuotaRoot
from worldmail.store.folders.making import MOST
from worldmail.store.folders.names import PUBLIC_OWNER, locate
from worldmail.store.folders.rights import known
from worldmail.store.folders.rows import see

DOMAIN_ROOT = "domain:"
_ACCOUNT = "SELECT address, quota FROM account WHERE id = ?"
_USED = (
    "SELECT coalesce(sum(octets), 0), coalesce(sum(messages), 0), count(*) FROM mailbox"
    " WHERE account_id = ? AND name >= ' '"
)
_DOMAIN = (
    "SELECT d.name, d.quota, d.octets FROM account a JOIN domain d ON d.id = a.domain_id"
    " WHERE a.id = ? AND d.quota IS NOT NULL"
)


def quota_roots(cursor: Cursor, account: Account, name: str) -> list[QuotaRoot]:
    """The roots that a mailbox counts in. What another account holds is told to those with the right a (§7)."""
    folder = known(see(cursor, account, locate(name, account)))
    if folder.owner != account.id and "a" not in folder.rights:
        return []
    return _roots(cursor, folder.owner)


def quota_root(cursor: Cursor, account: Account, root: str) -> QuotaRoot | None:
    """One of the account's own roots by name."""
    return next((each for each in _roots(cursor, account.id) if each.name == root), None)


def _roots(cursor: Cursor, account_id: int) -> list[QuotaRoot]:
    roots = []
    address, quota = cursor.one(_ACCOUNT, (account_id,)) or (PUBLIC_OWNER, None)
    if not address.startswith(PUBLIC_OWNER):
        octets, messages, mailboxes = cursor.one(_USED, (account_id,)) or (0, 0, 0)
        used = {"STORAGE": int(octets), "MESSAGE": int(messages), "MAILBOX": int(mailboxes)}
        limits = {"MAILBOX": MOST} if quota is None else {"STORAGE": quota, "MAILBOX": MOST}
        roots.append(QuotaRoot(name=address, used=used, limits=limits))
    domain = cursor.one(_DOMAIN, (account_id,))
    if domain is not None:
        name, limit, octets = domain
        roots.append(QuotaRoot(name=DOMAIN_ROOT + name, used={"STORAGE": octets}, limits={"STORAGE": limit}))
    return roots
