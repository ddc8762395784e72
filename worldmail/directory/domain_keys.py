"""The keys of a domain that an administrator may set, one row a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from worldmail.directory.account_keys import A_SIZE, size_or_none
from worldmail.errors import BadValue


@frozen(kw_only=True)
class DomainKey:
    """One key of `set_domain`.

    Args:
        key: its name.
        meaning: one sentence for the administrator.
        takes: what a value looks like.
        parse: the value of a text; ValueError if it is none.
        statement: puts it into the row, given the value and the domain's name.
    """

    key: str
    meaning: str
    takes: str
    parse: Callable[[str], int | None]
    statement: str


DOMAIN_KEYS: Mapping[str, DomainKey] = {
    row.key: row
    for row in (
        DomainKey(
            key="quota",
            meaning="How much mail all accounts of the domain may hold together; none sets no bound.",
            takes=A_SIZE,
            parse=size_or_none,
            statement="UPDATE domain SET quota = ? WHERE name = ? AND alias_of IS NULL AND kind = 'local'",
        ),
    )
}


def parse_domain_changes(changes: Mapping[str, str]) -> list[tuple[DomainKey, int | None]]:
    """The rows and values that `changes` name. Raises `BadValue` for an unknown key or a value that is none."""
    parsed = []
    for key, text in changes.items():
        row = DOMAIN_KEYS.get(key)
        if row is None:
            raise BadValue(f"no key {key!r}; there are: {', '.join(DOMAIN_KEYS)}")
        try:
            parsed.append((row, row.parse(text.strip())))
        except ValueError:
            raise BadValue(f"{key} takes {row.takes}") from None
    return parsed
