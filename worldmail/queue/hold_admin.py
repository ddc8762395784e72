"""Changing the holds: every method is one unit of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from zope.interface import implementer

from worldmail.config.keys import PASSWORD, thing_name
from worldmail.database.entries import Entries, Entry
from worldmail.errors import AlreadyThere, BadValue, ConfigurationError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.holds import Hold, HoldLoad, IHoldAdmin
from worldmail.queue.hold_keys import HOLD_KEYS, hold_of
from worldmail.queue.hold_loads import loads_of
from worldmail.queue.moved_domains import take_over
from worldmail.queue.route_rows import Seal
from worldmail.queue.routes import RouteTable
from worldmail.queue.trigger_keys import hidden, opened, sealed

HOLDS = Entries("hold")


@implementer(IHoldAdmin)
class HoldAdmin:
    """See `IHoldAdmin`. In the holds that it gives passwords are "".

    Args:
        database: where they are kept.
        seal: encrypts a password for a purpose.
    """

    def __init__(self, database: IDatabase, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    def holds(self) -> Awaitable[list[Hold]]:
        """See `IHoldAdmin.holds`."""
        return self._database.scan(lambda cursor: [_bare(entry) for entry in HOLDS.all(cursor)])

    def loads(self) -> Awaitable[dict[str, HoldLoad]]:
        """See `IHoldAdmin.loads`."""
        return self._database.scan(lambda cursor: loads_of(cursor, [entry.name for entry in HOLDS.all(cursor)]))

    async def add_hold(self, name: str, changes: Mapping[str, str]) -> Hold:
        """See `IHoldAdmin.add_hold`; `hold_keys.HOLD_KEYS` lists the keys."""
        return await self._database.write(self.adding(name, changes))

    def adding(self, name: str, changes: Mapping[str, str]) -> Callable[[Cursor], Hold]:
        """The unit of work that adds it, or a part of another. Raises `BadValue` now, `AlreadyThere` then."""
        entry = self._changed(Entry(thing_name("a hold", name), {}), changes)

        def unit(cursor: Cursor) -> Hold:
            hold = _bare(entry)
            HOLDS.add(cursor, entry)
            _settle(cursor, hold)
            return hold

        return unit

    async def set_hold(self, name: str, changes: Mapping[str, str]) -> Hold:
        """See `IHoldAdmin.set_hold`. A host or user that changes needs the password anew."""
        return await self._database.write(self.setting(name, changes))

    def setting(self, name: str, changes: Mapping[str, str]) -> Callable[[Cursor], Hold]:
        """The unit of work that sets it, or a part of another. Raises `BadValue`."""
        normal = thing_name("a hold", name)

        def unit(cursor: Cursor) -> Hold:
            entry = self._changed(HOLDS.required(cursor, normal), changes)
            hold = _bare(entry)
            HOLDS.replace(cursor, entry)
            _settle(cursor, hold)
            return hold

        return unit

    async def remove_hold(self, name: str) -> None:
        """See `IHoldAdmin.remove_hold`."""
        normal = thing_name("a hold", name)
        await self._database.write(lambda cursor: HOLDS.remove(cursor, normal))

    def joining(self, name: str) -> Callable[[Cursor, str], None]:
        """See `IHoldAdmin.joining`."""
        normal = thing_name("a hold", name)

        def unit(cursor: Cursor, domain: str) -> None:
            entry = HOLDS.find(cursor, normal)
            if entry is None:
                self.adding(normal, {"domains": domain})(cursor)
            elif domain not in (there := _bare(entry).domains):
                self.setting(normal, {"domains": ",".join((*there, domain))})(cursor)

        return unit

    def leave(self, cursor: Cursor, domain: str) -> None:
        """A part of the unit that removes a domain: no hold names it any more but one that is for no other."""
        for hold in [_bare(entry) for entry in HOLDS.all(cursor)]:
            others = ",".join(one for one in hold.domains if one != domain)
            if domain in hold.domains and others:
                self.setting(hold.name, {"domains": others})(cursor)

    def _changed(self, before: Entry, changes: Mapping[str, str]) -> Entry:
        """The entry with these changes. Raises `BadValue`."""
        texts, password = HOLD_KEYS.changed(before.texts, changes), changes.get(PASSWORD)
        texts = sealed(before.name, texts, changes, self._seal)
        hold = hold_of(before.name, hidden(texts), "")
        if hold.login is None:
            if password:
                raise BadValue("a password needs a user: user=NAME")
            return Entry(before.name, texts)
        bare = Entry(before.name, texts)
        if password:
            return Entry(before.name, texts, self._seal(purpose(bare), password.encode()))
        if before.sealed is None or purpose(bare) != purpose(before):
            raise BadValue(f"the user {hold.login.user} needs a password for {hold.host}: --password-stdin")
        return Entry(before.name, texts, before.sealed)


def purpose(entry: Entry) -> str:
    """What its password is sealed for: in an entry that leads to another host it is of no use."""
    return f"hold {entry.texts.get('user', '')} {entry.texts.get('host', '')}"


def read_hold(entry: Entry, unseal: Seal) -> Hold:
    """The hold that it makes. Raises `ConfigurationError`, `BadValue`."""
    try:
        password = "" if entry.sealed is None else unseal(purpose(entry), entry.sealed).decode()
    except ValueError:
        raise ConfigurationError(f"the password of the hold {entry.name} cannot be read: set it again") from None
    return hold_of(entry.name, opened(entry.name, entry.texts, unseal), password)


def find_hold(cursor: Cursor, name: str) -> Hold | None:
    """The one of this name, with "" for its passwords. Raises `ConfigurationError`, `BadValue`."""
    entry = HOLDS.find(cursor, name)
    return None if entry is None else _bare(entry)


def _bare(entry: Entry) -> Hold:
    return hold_of(entry.name, hidden(entry.texts), "")


def _settle(cursor: Cursor, hold: Hold) -> None:
    """It stands: is it alone, and has it what waits for its domains? Raises `AlreadyThere`."""
    holds = [_bare(entry) for entry in HOLDS.all(cursor)]
    _check_alone(hold, [other for other in holds if other.name != hold.name])
    take_over(cursor, RouteTable.of((), holds))


def _check_alone(hold: Hold, others: Iterable[Hold]) -> None:
    """Of two for the same domain nobody could say where its mail waits."""
    for other in others:
        both = sorted(set(other.domains) & set(hold.domains))
        if both and other.enabled and hold.enabled:
            raise AlreadyThere(f"mail for {both[0]} waits in the hold {other.name} already")
