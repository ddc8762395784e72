"""Which destinations lie behind a link, in SQL and in memory.

A route's link is a fact: since when it is down, 0 if it is up. The fact of "*" is that of all that leaves by routes
without a fact of their own. What leads to mailboxes here, and what is held for others, lies behind no link.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.resting import ANY_ROUTE

LINK = "link "
"""With a route's name behind it, the name of a fact."""

_IS_LINK = f"substr(name, 1, {len(LINK)}) = '{LINK}'"
_FACTS = f"SELECT substr(name, {len(LINK) + 1}), value FROM fact WHERE {_IS_LINK}"
_NAMED = f"SELECT substr(name, {len(LINK) + 1}) FROM fact WHERE {_IS_LINK}"
_APART = "'local', 'hold '"
_LEAVES = f"substr(d.key, 1, 5) NOT IN ({_APART})"


def behind(route: str) -> tuple[str, Row]:
    """The condition on a row d of `destination` that it lies behind the link of this route, and its values."""
    if route == ANY_ROUTE:
        return f"({_LEAVES} AND d.route NOT IN ({_NAMED}))", ()
    return "(substr(d.key, 1, 6) <> 'local ' AND d.route = ?)", (route,)


@frozen
class LinkFacts:
    """The facts: since when the link of each route is down, 0 if it is up."""

    since: Mapping[str, int] = field(factory=dict)

    def down_since(self, key: str, route: str) -> int | None:
        """Since when the link of the destination with this key and route is down; None if it is up or has none."""
        if key.startswith("local "):
            return None
        since = self.since.get(route)
        if since is None and not key.startswith("hold "):
            since = self.since.get(ANY_ROUTE)
        return since or None


def link_facts(cursor: Cursor) -> LinkFacts:
    """All of them."""
    return LinkFacts({row[0]: int(row[1]) for row in cursor.all(_FACTS)})
