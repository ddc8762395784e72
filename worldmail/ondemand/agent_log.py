"""What is known of agents' runs: their statuses, and what the log says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from attrs import define

from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.ondemand import Agent, Result
from worldmail.interfaces.world import IClock, IJournal
from worldmail.ondemand.agent_admin import AGENTS, STATUSES

STOPPED = "the server stopped while it ran"

WORDS = 1000
"""Characters of words that are kept."""

TRIES, AGAIN = 5, 1.0
"""How often it is tried to write a status down, and seconds between."""


@define(kw_only=True, eq=False)
class AgentLog:
    """Writes down what came of runs.

    The keys of a status: began, ended, next (epoch seconds; there is no `ended` while it runs), why, ok (yes or no),
    words, messages, failures (how many runs failed one after another), skipped (why its last turn was none).
    """

    database: IDatabase
    clock: IClock
    journal: IJournal

    async def began(self, agent: Agent, why: str) -> None:
        """It runs now. Raises nothing: a run does not depend on it."""
        await self._tell(
            agent, {"began": str(int(self.clock.now())), "ended": None, "why": why, "skipped": None, "next": None}
        )

    async def skipped(self, agent: Agent, words: str) -> None:
        """Its turn came, and it did not run."""
        await self._tell(agent, {"skipped": words})

    async def stands(self, agent: Agent) -> None:
        """It has a connection that stays open: what failed before is over."""
        await self._tell(agent, {"failures": None})

    async def ended(self, agent: Agent, why: str, result: Result, seconds: float, failures: int | None) -> None:
        """It is over. `failures`: None where the status is another process's by now."""
        self.journal.record(
            "agent",
            agent=agent.name,
            kind=agent.kind.value,
            why=why,
            ok=result.ok,
            words=result.words[:WORDS],
            messages=result.messages,
            seconds=round(seconds, 3),
        )
        if failures is None:
            return
        await self._tell(
            agent,
            {
                "ended": str(int(self.clock.now())),
                "ok": "yes" if result.ok else "no",
                "words": result.words[:WORDS],
                "messages": None if result.messages is None else str(result.messages),
                "failures": str(failures) if failures else None,
            },
        )

    async def next(self, moments: Mapping[str, float | None]) -> None:
        """When these run next. Raises `TemporaryFailure`."""
        await self.database.write(partial(_next, moments=moments))

    async def _tell(self, agent: Agent, changes: Mapping[str, str | None]) -> None:
        for _ in range(TRIES):
            try:
                await self.database.write(partial(_change, name=agent.name, changes=changes))
                return
            except Refusal:
                await self.clock.sleep(AGAIN)


def _change(cursor: Cursor, *, name: str, changes: Mapping[str, str | None]) -> None:
    if AGENTS.find(cursor, name) is not None:  # of one that was removed nothing is known
        STATUSES.change(cursor, name, changes)


def _next(cursor: Cursor, *, moments: Mapping[str, float | None]) -> None:
    for name, at in moments.items():
        _change(cursor, name=name, changes={"next": None if at is None else str(int(at))})
