"""Following a relay, or another server, that has another key: its new pin takes the place of the old ones.

Only a hop that may (`Hop.renews`), and only to a key whose certificate verifies for the hop's name, as the handshake
found it. What is changed is whatever goes to that host with those pins: pair, agent, route and hold, in one unit.

Of several servers that serve one name, each with a key of its own, each in turn would put its key in the place of the
other's. So a key that was replaced does not come back for a day; meanwhile its certificate is good because it verifies.
To pin all of them would be less safe: a pinned key is good also when the certificate, by which alone it came in, is not
any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from worldmail.config.keys import KeyTable
from worldmail.database.entries import Entries, Entry
from worldmail.errors import BadValue, WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.outbound import Hop, Shown
from worldmail.interfaces.pairs import End
from worldmail.interfaces.world import IClock, IJournal
from worldmail.ondemand.agent_admin import AGENTS
from worldmail.ondemand.agent_keys import AGENT_KEYS
from worldmail.ondemand.pair_entries import PAIRS, pair_entry, read_pair
from worldmail.queue.hold_admin import HOLDS
from worldmail.queue.hold_keys import HOLD_KEYS
from worldmail.queue.route_rows import RouteRow, all_rows, replace_row

AWAY = 86400.0
"""Seconds for which a key that was replaced does not come back."""


@define(kw_only=True, eq=False)
class Renewing:
    """See the module."""

    database: IDatabase
    clock: IClock
    journal: IJournal
    _under_way: dict[tuple[str, str], Deferred[None]] = field(factory=dict, init=False)
    _replaced: dict[tuple[str, str], float] = field(factory=dict, init=False)  # of host and pin, when

    def shown(self, hop: Hop, shown: Shown) -> None:
        """What a server proved (`Connector.shown`)."""
        key = (hop.host, shown.pin)
        if shown.pinned or not hop.renews or shown.distrust is not None or key in self._under_way:
            return
        now = self.clock.seconds()
        if now - self._replaced.get(key, now - AWAY) < AWAY:
            return
        self._under_way[key] = working = Deferred.fromCoroutine(self._renew(hop, shown.pin))

        def over(result: object) -> None:
            del self._under_way[key]

        working.addBoth(over)

    async def _renew(self, hop: Hop, pin: str) -> None:
        """The next connection tries again what fails."""
        unit = partial(renew_pins, host=hop.host, before=hop.pins, pin=pin, now=int(self.clock.now()))
        try:
            changed = await self.database.write(unit)
        except WorldMailError as error:
            self.journal.failure("key.unkept", error, server=hop.host)
            return
        if changed:
            now = self.clock.seconds()
            kept = {key: at for key, at in self._replaced.items() if now - at < AWAY}
            self._replaced = kept | {(hop.host, replaced): now for replaced in hop.pins}
            self.journal.record(
                "key.renewed", server=hop.host, pin=pin, before=",".join(sorted(hop.pins)), of=", ".join(changed)
            )


def renew_pins(cursor: Cursor, *, host: str, before: frozenset[str], pin: str, now: int) -> list[str]:
    """The unit of work; what was changed, in words ("agent relay")."""
    changed = []
    for entry in PAIRS.all(cursor):
        pair = read_pair(entry)
        if pair.end is End.SITE and pair.renews and (pair.host, pair.pins) == (host, before):
            renewed = evolve(pair, pins=frozenset({pin}), renewed=now)
            PAIRS.replace(cursor, pair_entry(renewed, entry.texts.get("code", "")))
            changed.append(f"pair {pair.name}")
    for kind, table in ((AGENTS, AGENT_KEYS), (HOLDS, HOLD_KEYS)):
        for entry in _going_there(cursor, kind, table, host, before):
            kind.replace(cursor, Entry(entry.name, {**entry.texts, "pins": pin}, entry.sealed))
            changed.append(f"{kind.noun} {entry.name}")
    for row in all_rows(cursor):
        if row.given.renews and (row.given.host, row.given.pins) == (host, before):
            replace_row(cursor, RouteRow(row.name, evolve(row.given, pins=frozenset({pin})), row.sealed))
            changed.append(f"route {row.name}")
    return changed


def _going_there(cursor: Cursor, kind: Entries, table: KeyTable, host: str, before: frozenset[str]) -> Iterator[Entry]:
    for entry in kind.all(cursor):
        values = _values(table, entry.texts)
        if values.get("renews") and (values["host"], values["pins"]) == (host, before):
            yield entry


def _values(table: KeyTable, texts: Mapping[str, str]) -> Mapping[str, object]:
    try:
        return table.read(texts)
    except BadValue:  # of another release
        return {}
