"""Changing the links: every method is one unit of work."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Mapping

from worldmail.config.keys import thing_name
from worldmail.database.entries import Entries, Entry
from worldmail.database.statuses import Statuses
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.world import IClock
from worldmail.ondemand.link_keys import LINK_KEYS, Link, link_of
from worldmail.ondemand.wishes import Answer, Wish, Wishes, wait_for

LINKS = Entries("link")
STATUSES = Statuses("link")
WISHES = Wishes(STATUSES)


class LinkAdmin:
    """Looks after the links in the database. Raises `NoSuchThing`, `AlreadyThere`, `BadValue`.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: IDatabase, clock: IClock) -> None:
        self._database = database
        self._clock = clock

    def links(self) -> Awaitable[list[tuple[Link, dict[str, str]]]]:
        """All links, by name, with what a server found of each (`link_service`)."""
        return self._database.scan(_all)

    async def add_link(self, name: str, changes: Mapping[str, str]) -> Link:
        """Add a link; `link_keys.LINK_KEYS` lists the keys."""
        entry = Entry(thing_name("a link", name), LINK_KEYS.changed({}, changes))
        link = link_of(entry.name, entry.texts)
        await self._database.write(lambda cursor: LINKS.add(cursor, entry))
        return link

    async def set_link(self, name: str, changes: Mapping[str, str]) -> Link:
        """Set keys of a link."""
        normal = thing_name("a link", name)

        def unit(cursor: Cursor) -> Link:
            entry = Entry(normal, LINK_KEYS.changed(LINKS.required(cursor, normal).texts, changes))
            link = link_of(normal, entry.texts)
            LINKS.replace(cursor, entry)
            return link

        return await self._database.write(unit)

    async def remove_link(self, name: str) -> None:
        """Remove a link; its mail goes at any time then."""
        normal = thing_name("a link", name)

        def unit(cursor: Cursor) -> None:
            LINKS.remove(cursor, normal)
            STATUSES.forget(cursor, normal)

        await self._database.write(unit)

    async def ask(self, name: str, what: str, wait: float) -> Answer:
        """Let the server that looks after the links do something with one, and wait for what comes of it.

        Args:
            what: see `link_wishes`.
            wait: seconds to wait at most.
        """
        normal = thing_name("a link", name)
        wish = Wish(name=normal, id=secrets.token_hex(8), what=what, at=int(self._clock.now()))

        def unit(cursor: Cursor) -> None:
            LINKS.required(cursor, normal)
            WISHES.ask(cursor, wish)

        await self._database.write(unit)
        return await wait_for(WISHES, wish, wait, self._database, self._clock)


def _all(cursor: Cursor) -> list[tuple[Link, dict[str, str]]]:
    known = STATUSES.all(cursor)
    return [(link_of(entry.name, entry.texts), known.get(entry.name, {})) for entry in LINKS.all(cursor)]
