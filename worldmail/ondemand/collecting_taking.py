"""Taking a fetched message in: accepted and remembered in one unit.

Where some of those whom it is for have no room, or take no message as large, the others get it now. Who has it is
remembered then, in the same unit, in place of the message: so the next run gives it to the rest alone, and only when
nobody is left is the message one that was fetched, and may be deleted there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from attrs import evolve, frozen

from worldmail.errors import MessageTooLarge, OverQuota, RecipientGone, StorageFull, WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.store import Acceptance, IAcceptance, IAcceptancePart, ITrace
from worldmail.ondemand.collecting_memory import forget_parts, note_parts, parts_of, remember
from worldmail.ondemand.collecting_places import Placed
from worldmail.wire.flat_json import FlatJson

_to_json = FlatJson(ascii=False).render


class TakenBefore(WorldMailError):
    """Another run has accepted it meanwhile."""


@frozen(kw_only=True)
class Fetched:
    """One message that is here whole.

    Args:
        name: what it is remembered by.
        size: its octets, as it was there.
        digest: of all of it if it stays there; else "".
        had: who has it from runs before (see `collecting_memory.parts_of`).
    """

    name: str
    size: int
    digest: str
    acceptance: Acceptance
    placed: Placed
    had: frozenset[str]


@frozen(kw_only=True)
class Taken:
    """What was accepted. `left`: accounts that it is still for."""

    acceptance: Acceptance
    left: tuple[str, ...]


@frozen(kw_only=True)
class Taking:
    """Of one agent's run.

    Args:
        server: where it was fetched, as the trace names it.
    """

    agent: str
    server: str
    database: IDatabase
    trace: ITrace
    acceptance: IAcceptance

    async def take(self, fetched: Fetched, now: int) -> Taken:
        """Raises what the store refuses it with; `TakenBefore`. Its content is seen to in any case."""
        left = {one.id for one in fetched.placed.accounts if _too_large(one.max_message, fetched.size)}
        while True:
            rest = _without(fetched.acceptance, fetched.had, left)
            part: IAcceptancePart = self.acceptance.part(rest)
            unit = partial(self._write, fetched=fetched, rest=rest, left=bool(left), part=part, now=now)
            try:
                if left and not _places(rest):
                    raise MessageTooLarge("The message is larger than a recipient takes")
                self.acceptance.check_room(rest.content.size)
                written = await self.database.write(unit)
            except OverQuota as full:
                fewer = left | full.accounts
                if fewer != left and set(_places(_without(rest, frozenset(), fewer))):
                    left = fewer
                    await part.dropped(refused=False)
                    continue
                await part.dropped(refused=True)
                raise
            except BaseException as error:
                refused = isinstance(error, (MessageTooLarge, RecipientGone, StorageFull, TakenBefore))
                await part.dropped(refused)
                raise
            if _places(rest):
                part.accepted(written)
            else:  # they all have it: nothing of it was stored
                await part.dropped(refused=True)
            accounts = {one.id: str(one.address) for one in fetched.placed.accounts}
            return Taken(acceptance=rest, left=tuple(accounts.get(one, "") for one in sorted(left)))

    def _write(
        self, cursor: Cursor, *, fetched: Fetched, rest: Acceptance, left: bool, part: IAcceptancePart, now: int
    ) -> Any:
        """The one unit."""
        if parts_of(cursor, self.agent, fetched.name) != fetched.had:
            raise TakenBefore("it was fetched before")
        if left:
            note_parts(cursor, self.agent, fetched.name, _places(rest), now)
        else:
            if not remember(cursor, self.agent, fetched.name, now, fetched.digest):
                raise TakenBefore("it was fetched before")
            if fetched.had:
                forget_parts(cursor, self.agent, [fetched.name])
        if not _places(rest):
            return None
        self.trace.record(cursor, rest.id, now, "collected", (), self._detail(fetched, rest))
        return part.write(cursor)

    def _detail(self, fetched: Fetched, rest: Acceptance) -> str:
        words = fetched.placed.words
        return _to_json(
            {
                "agent": self.agent,
                "server": self.server,
                "protocol": rest.origin.protocol,
                "name": fetched.name,
                "sorted": words,
                "said": f"fetched from {self.server} by the agent {self.agent}, {words}",
            }
        )


def _places(acceptance: Acceptance) -> list[str]:
    """Where it goes, as that is remembered."""
    return list(_each_place(acceptance))


def _each_place(acceptance: Acceptance) -> Iterator[str]:
    for delivery in acceptance.deliveries:
        yield f"account {delivery.account_id}"
    for onward in acceptance.onward:
        yield f"to {onward.recipient.address.key}"


def _without(acceptance: Acceptance, had: frozenset[str], left: set[int] | frozenset[int]) -> Acceptance:
    """The same for the others alone."""
    deliveries = acceptance.deliveries
    return evolve(
        acceptance,
        deliveries=tuple(
            one for one in deliveries if one.account_id not in left and f"account {one.account_id}" not in had
        ),
        onward=tuple(one for one in acceptance.onward if f"to {one.recipient.address.key}" not in had),
    )


def _too_large(most: int | None, size: int) -> bool:
    return most is not None and size > most
