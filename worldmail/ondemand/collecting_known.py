"""What an agent took before, in one conversation of a run: by its names, and where these have changed by what it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

from attrs import define, field

from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.ondemand.collecting_looking import Looked
from worldmail.ondemand.collecting_memory import (
    digests,
    forget,
    forget_parts,
    freshen_parts,
    parts,
    remembered,
    rename,
    slices,
)


@define(kw_only=True, eq=False)
class Known:
    """What is remembered; nothing before it is `read`.

    Attributes:
        memory: when each was taken, by name.
        parts: who has what others do not have yet, by name.
        gone: names are missing that should be there.
    """

    database: IDatabase
    agent: str
    memory: Mapping[str, int] = field(factory=dict, init=False)
    parts: Mapping[str, frozenset[str]] = field(factory=dict, init=False)
    gone: bool = field(default=False, init=False)
    _missing: dict[str, list[str]] = field(factory=dict, init=False)  # by digest

    async def read(self, now: int) -> None:
        """All of it."""
        self.memory = await self.database.scan(partial(remembered, agent=self.agent))
        self.parts = await self.database.scan(partial(parts, agent=self.agent))
        if self.parts:
            await self.database.write(partial(freshen_parts, agent=self.agent, now=now))

    async def compare(self, looked: Looked, is_over: Callable[[int], bool]) -> None:
        """Forget what is gone, but for what it was not yet the time of: it may be there under another name."""
        if looked.rest:
            return
        there = {mail.name for mail in looked.mails}
        missing = {name for name, at in self.memory.items() if name not in there and not is_over(at)}
        await self.forget(looked, missing)
        self.gone = bool(missing)
        if missing:
            self._missing = await self.database.scan(partial(digests, agent=self.agent, names=missing))

    async def under_another_name(self, name: str, digest: str) -> int | None:
        """When this one was taken, if that was under a name that is missing; it is remembered by the new one then."""
        names = self._missing.get(digest)
        if not names:
            return None
        old = names.pop()
        renamed = await self.database.write(partial(_rename, agent=self.agent, old=old, new=name))
        return self.memory.get(old) if renamed else None

    async def forget(self, looked: Looked, but: Collection[str] = ()) -> None:
        """What is not listed any more."""
        there = {mail.name for mail in looked.mails}.union(but)
        for kept, work in ((self.memory, forget), (self.parts, forget_parts)):
            for some in slices(sorted(set(kept) - there)):
                await self.database.write(partial(_forget, work=work, agent=self.agent, names=some))


def _rename(cursor: Cursor, *, agent: str, old: str, new: str) -> bool:
    return rename(cursor, agent, old, new)


def _forget(
    cursor: Cursor, *, work: Callable[[Cursor, str, Collection[str]], None], agent: str, names: Collection[str]
) -> None:
    work(cursor, agent, names)
