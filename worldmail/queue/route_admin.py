"""Changing the routes: every method is one unit of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from zope.interface import implementer

from worldmail.config.keys import PASSWORD
from worldmail.errors import BadValue
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.queue import IRouteAdmin, Route
from worldmail.queue.route_keys import Given, changed, new_password, route_name
from worldmail.queue.route_rows import RouteRow, Seal, add_row, all_rows, remove_row, replace_row, required_row
from worldmail.queue.routes import in_order


@implementer(IRouteAdmin)
class RouteAdmin:
    """See `IRouteAdmin`. In the routes that it gives passwords are "".

    Args:
        database: where they are kept.
        seal: encrypts a password for a purpose.
        unseal: opens it for the same purpose alone.
    """

    def __init__(self, database: IDatabase, seal: Seal, unseal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._unseal = unseal

    def routes(self) -> Awaitable[list[Route]]:
        """See `IRouteAdmin.routes`."""
        return self._database.scan(lambda cursor: in_order(row.route(None) for row in all_rows(cursor)))

    async def add_route(self, name: str, changes: Mapping[str, str]) -> Route:
        """See `IRouteAdmin.add_route`; `route_keys.ROUTE_KEYS` lists the keys."""
        return await self._database.write(self.adding(name, changes))

    def adding(self, name: str, changes: Mapping[str, str]) -> Callable[[Cursor], Route]:
        """The unit of work that adds it, or a part of another. Raises `BadValue` now, `AlreadyThere` then."""
        row = self._changed(RouteRow(route_name(name), Given(), None), changes)

        def unit(cursor: Cursor) -> Route:
            add_row(cursor, row)
            return row.route(None)

        return unit

    async def set_route(self, name: str, changes: Mapping[str, str]) -> Route:
        """See `IRouteAdmin.set_route`. A host or user that changes takes the password along or needs a new one."""
        return await self._database.write(self.setting(name, changes))

    def setting(self, name: str, changes: Mapping[str, str]) -> Callable[[Cursor], Route]:
        """The unit of work that changes it, or a part of another. Raises `NoSuchThing`, `BadValue`, `AlreadyThere`."""
        normal = route_name(name)

        def unit(cursor: Cursor) -> Route:
            row = self._changed(required_row(cursor, normal), changes)
            replace_row(cursor, row)
            return row.route(None)

        return unit

    async def remove_route(self, name: str) -> None:
        """See `IRouteAdmin.remove_route`."""
        normal = route_name(name)
        await self._database.write(lambda cursor: remove_row(cursor, normal))

    def _changed(self, before: RouteRow, changes: Mapping[str, str]) -> RouteRow:
        """The row with these changes. Raises `BadValue`."""
        given, password = changed(before.name, before.given, changes), new_password(changes)
        bare = RouteRow(before.name, given, None)
        if not given.user:
            if password is not None:
                raise BadValue("a password needs a user: user=NAME")
            return bare
        if password is None and (given.user != before.given.user or PASSWORD in changes):
            raise BadValue(f"the user {given.user} needs a password: --password-stdin")
        if password is None:
            if bare.purpose == before.purpose:
                return RouteRow(before.name, given, before.sealed)
            password = self._old_password(before)
        return RouteRow(before.name, given, self._seal(bare.purpose, password.encode()))

    def _old_password(self, row: RouteRow) -> str:
        try:
            return self._unseal(row.purpose, row.sealed or b"").decode()
        except ValueError:
            raise BadValue(f"the password of {row.name} cannot be read: give it again with --password-stdin") from None
