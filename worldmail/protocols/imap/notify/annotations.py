"""Which annotations changed since a client was told (RFC 5465 §5.6, §5.7)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, field

from worldmail.errors import NoRight, NoSuchMailbox
from worldmail.protocols.imap.metadata import SPECIAL_USE

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

_ALL = ("/private", "/shared")
SERVER = 0
"""In the place of a mailbox's id."""

MOST_KEPT = 5000
"""Of so many mailboxes is kept what was known; those that were looked at longest ago go first."""


@define(kw_only=True)
class KnownAnnotations:
    """The annotations of mailboxes by their id, as digests; of those alone that have any.

    What is hidden for a while is kept: once it may be seen again, only what changed meanwhile is a change.
    """

    _digests: dict[int, Mapping[str, bytes]] = field(factory=dict)

    async def learn(self, session: Session, mailbox_id: int, name: str, special_use: str | None = None) -> list[str]:
        """The entries that were set, changed or removed since they were last seen; none if they cannot be seen now."""
        found = await _digests_of(session, name)
        if found is None:
            return []
        if special_use is not None:
            found[SPECIAL_USE] = special_use.encode("ascii")
        before = self._digests.pop(mailbox_id, {})
        if found:
            self._digests[mailbox_id] = found
        if len(self._digests) > MOST_KEPT:
            self._digests.pop(next(iter(self._digests)))
        return sorted(entry for entry in before.keys() | found.keys() if before.get(entry) != found.get(entry))


async def _digests_of(session: Session, name: str) -> dict[str, bytes] | None:
    try:
        found = await session.world.folders.annotations(session.user, name, _ALL, depth=None)
    except (NoSuchMailbox, NoRight):
        return None
    return {entry: hashlib.blake2b(value, digest_size=12).digest() for entry, value in found.items()}
