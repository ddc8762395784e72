"""Quotas of accounts and domains, enforced in the unit that stores (RFC 9208 §3).

An account's use is the sum of its mailboxes' octets. A domain's is kept in its row, but only while it has a quota:
else every delivery of the domain would meet there. Rows are locked in one order everywhere: mailboxes, then accounts,
then domains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from worldmail.errors import OverQuota
from worldmail.interfaces.database import Cursor

HAS_QUOTA = (
    "(SELECT 1 FROM account JOIN domain ON domain.id = account.domain_id"
    " WHERE account.id = mailbox.account_id AND (account.quota IS NOT NULL OR domain.quota IS NOT NULL))"
)
"""A value for RETURNING of a statement on `mailbox`: not NULL if its account or domain has a quota."""

# Changes nothing (and the embedded engine then writes nothing); on a server it locks the row.
_LOCK_ACCOUNT = "UPDATE account SET quota = quota WHERE id = ? AND quota IS NOT NULL RETURNING quota"
_USED = "SELECT coalesce(sum(octets), 0) FROM mailbox WHERE account_id = ? AND name >= ' '"
_COUNT = "UPDATE domain SET octets = octets + ? WHERE id = ? AND quota IS NOT NULL RETURNING octets, quota"
_DOMAIN_OF = "SELECT domain_id FROM account WHERE id = ?"
_RECOUNT = (
    "UPDATE domain SET octets = (SELECT coalesce(sum(mailbox.octets), 0) FROM account"
    " JOIN mailbox ON mailbox.account_id = account.id WHERE account.domain_id = domain.id)"
    " WHERE id = ? AND quota IS NOT NULL"
)


def check_account(cursor: Cursor, account_id: int) -> None:
    """With what is new counted in its mailboxes. Raises `OverQuota`."""
    row = cursor.one(_LOCK_ACCOUNT, (account_id,))
    if row is None:
        return
    quota = row[0]
    (used,) = cursor.one(_USED, (account_id,)) or (0,)
    if used > quota:
        raise _full({account_id}, f"account {account_id} would hold {used} of {quota} octets")


def count_domain(cursor: Cursor, domain_id: int, octets: int, *, is_bounded: bool) -> None:
    """So many octets more in a domain, or fewer. Raises `OverQuota` if it is more, and too much, and that counts."""
    row = cursor.one(_COUNT, (octets, domain_id))
    if row is not None and is_bounded and octets > 0 and row[0] > row[1]:
        raise OverQuota(reason=f"domain {domain_id} would hold {row[0]} of {row[1]} octets")


def charge(cursor: Cursor, changes: Mapping[int, int], unbounded: Collection[int] = ()) -> None:
    """Octets that came to accounts, or went: counted in their mailboxes already. Raises `OverQuota`.

    Args:
        unbounded: accounts that are given what came whatever their quotas.
    """
    for account_id, octets in sorted(changes.items()):
        if octets > 0 and account_id not in unbounded:
            check_account(cursor, account_id)
    domains: dict[int, int] = {}
    bounded: dict[int, set[int]] = {}
    for account_id, octets in changes.items():
        if octets and (row := cursor.one(_DOMAIN_OF, (account_id,))) is not None:
            domains[row[0]] = domains.get(row[0], 0) + octets
            if account_id not in unbounded:
                bounded.setdefault(row[0], set()).add(account_id)
    for domain_id, octets in sorted(domains.items()):
        if octets:
            try:
                count_domain(cursor, domain_id, octets, is_bounded=domain_id in bounded)
            except OverQuota as full:
                raise _full(bounded[domain_id], full.reason or "") from None


def _full(accounts: Collection[int], reason: str) -> OverQuota:
    error = OverQuota(reason=reason)
    error.accounts = frozenset(accounts)
    return error


def recount_domain(cursor: Cursor, domain_id: int) -> None:
    """Count anew what a domain with a quota holds. To be marked `Shared`: the row is locked before anything is read.

    On a server, a delivery that did not see the quota yet when it was set may be missing until the next count.
    """
    cursor.run("UPDATE domain SET octets = octets WHERE id = ?", (domain_id,))
    cursor.run(_RECOUNT, (domain_id,))


def recount_domains(cursor: Cursor) -> None:
    """`recount_domain` for all that have a quota."""
    for (domain_id,) in cursor.all("SELECT id FROM domain WHERE quota IS NOT NULL ORDER BY id"):
        recount_domain(cursor, domain_id)
