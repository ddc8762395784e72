"""Whom the domains of this server have, for a relay that refuses all others while we are not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen

from worldmail.directory.rows import all_accounts, domain_by_name
from worldmail.directory.source import CATCH_ALL
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.pairs import Known


@frozen
class Own:
    """A recipient of ours, and the account in whose mailbox its mail ends, None if that is not one alone."""

    known: Known
    account: Account | None


def own_recipients(cursor: Cursor, domains: Sequence[str]) -> list[Own]:
    """The recipients of these domains: accounts that are switched on, and aliases. A scan.

    A domain with a catch-all, or of which this server does not know who is in it, has everybody (`CATCH_ALL`); one that
    is not here has nobody.
    """
    found: list[Own] = []
    for name in domains:
        domain = domain_by_name(cursor, name)
        if domain is None:
            continue
        if domain.kind != "local":
            found.append(Own(Known(CATCH_ALL, name), None))
            continue
        accounts = {account.address.local_key: account for account in all_accounts(cursor, domain.id)}
        targets: dict[str, list[str]] = {}
        rows = cursor.all("SELECT local_part, target FROM address WHERE domain_id = ?", (domain.id,))
        for local, target in rows:
            targets.setdefault(local, []).append(target)
        found += _of_domain(name, domain.name, accounts, targets)
    return found


def _of_domain(
    name: str, own_name: str, accounts: Mapping[str, Account], targets: Mapping[str, Sequence[str]]
) -> Iterator[Own]:
    if CATCH_ALL in targets:
        yield Own(Known(CATCH_ALL, name), None)
        return
    keys = {f"{local}@{own_name}": account for local, account in accounts.items() if account.enabled}
    for local, led in targets.items():
        account = keys.get(led[0]) if len(led) == 1 else None
        yield _bounded(Known(local, name), account)
    for local, account in accounts.items():
        if account.enabled and local not in targets:
            yield _bounded(Known(local, name), account)


def _bounded(known: Known, account: Account | None) -> Own:
    most = None if account is None else account.max_message
    return Own(known if most is None else evolve(known, most=most), account)
