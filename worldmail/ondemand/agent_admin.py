"""Changing the agents: every method is one unit of work."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping

from zope.interface import implementer

from worldmail.config.keys import PASSWORD, thing_name
from worldmail.database.entries import Entries, Entry
from worldmail.database.statuses import Statuses
from worldmail.errors import BadValue, ConfigurationError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.ondemand import Agent, AgentKind, IAgentAdmin
from worldmail.interfaces.world import IClock
from worldmail.ondemand.agent_keys import AGENT_KEYS, NO_KIND, agent_of
from worldmail.ondemand.collecting_memory import forget_all
from worldmail.ondemand.wishes import Answer, Wish, Wishes, wait_for

AGENTS = Entries("agent")
STATUSES = Statuses("agent")
WISHES = Wishes(STATUSES)
RUN = "run"
"""What is asked of an agent."""

_SECRET = frozenset({AgentKind.WAKE, AgentKind.FINGER})
"""Kinds whose password is nobody's."""

Seal = Callable[[str, bytes], bytes]


@implementer(IAgentAdmin)
class AgentAdmin:
    """See `IAgentAdmin`. In the agents that it gives passwords are "".

    Args:
        database: where they are kept.
        seal, unseal: encrypt a password for a purpose, and decrypt it.
    """

    def __init__(self, database: IDatabase, clock: IClock, seal: Seal, unseal: Seal) -> None:
        self._database = database
        self._clock = clock
        self._seal = seal
        self._unseal = unseal

    def agents(self) -> Awaitable[list[Agent]]:
        """See `IAgentAdmin.agents`."""
        return self._database.scan(lambda cursor: [_bare(entry) for entry in AGENTS.all(cursor)])

    def statuses(self) -> Awaitable[dict[str, dict[str, str]]]:
        """What is known of each (`agent_log`), by name."""
        return self._database.scan(STATUSES.all)

    async def add_agent(self, name: str, changes: Mapping[str, str]) -> Agent:
        """See `IAgentAdmin.add_agent`; `agent_keys.AGENT_KEYS` lists the keys."""
        entry = agent_entry(Entry(thing_name("an agent", name), {}), changes, self._seal)

        def unit(cursor: Cursor) -> Agent:
            agent = _bare(entry)
            _check_link(cursor, agent, changes)
            AGENTS.add(cursor, entry)
            return agent

        return await self._database.write(unit)

    async def set_agent(self, name: str, changes: Mapping[str, str]) -> Agent:
        """See `IAgentAdmin.set_agent`. A host or user that changes needs the password anew; the kind stays.

        What it fetched from another mailbox is forgotten: names of messages are that mailbox's own.
        """
        normal = thing_name("an agent", name)

        def unit(cursor: Cursor) -> Agent:
            before = AGENTS.required(cursor, normal)
            kind = before.texts.get("kind", "").lower()
            if changes.get("kind", kind).strip().lower() != kind:
                raise BadValue("the kind of an agent stays: remove it, and add another")
            entry = agent_entry(before, changes, self._seal)
            agent = _bare(entry)
            _check_link(cursor, agent, changes)
            if _place(entry) != _place(before):
                forget_all(cursor, normal)
            AGENTS.replace(cursor, entry)
            return agent

        return await self._database.write(unit)

    async def remove_agent(self, name: str) -> None:
        """See `IAgentAdmin.remove_agent`."""
        normal = thing_name("an agent", name)

        def unit(cursor: Cursor) -> None:
            AGENTS.remove(cursor, normal)
            STATUSES.forget(cursor, normal)
            forget_all(cursor, normal)

        await self._database.write(unit)

    async def agent(self, name: str) -> Agent:
        """One with its password, to be tried. Raises `NoSuchThing`, `ConfigurationError`, `BadValue`."""
        normal = thing_name("an agent", name)
        return await self._database.read(lambda cursor: read_agent(AGENTS.required(cursor, normal), self._unseal))

    async def run(self, name: str, wait: float) -> Answer:
        """Let a running server run one now, and wait for what comes of it, so many seconds at most."""
        normal = thing_name("an agent", name)
        wish = Wish(name=normal, id=secrets.token_hex(8), what=RUN, at=int(self._clock.now()))

        def unit(cursor: Cursor) -> None:
            AGENTS.required(cursor, normal)
            WISHES.ask(cursor, wish)

        await self._database.write(unit)
        return await wait_for(WISHES, wish, wait, self._database, self._clock)


def agent_entry(before: Entry, changes: Mapping[str, str], seal: Seal) -> Entry:
    """The entry with these changes, its password sealed. Raises `BadValue`."""
    if not (changes.get("kind", "").strip() or before.texts.get("kind")):
        raise BadValue(NO_KIND)
    texts, password = AGENT_KEYS.changed(before.texts, changes), changes.get(PASSWORD)
    agent = agent_of(before.name, texts, "")
    login, bare = agent.values["login"], Entry(before.name, texts)
    if login is None and agent.kind not in _SECRET:
        if password:
            raise BadValue("a password needs a user: user=NAME")
        return bare
    if password:
        return Entry(before.name, texts, seal(purpose(bare), password.encode()))
    if before.sealed is not None and purpose(bare) == purpose(before):
        return Entry(before.name, texts, before.sealed)
    if login is not None:
        raise BadValue(f"the user {login.user} needs a password for {agent.values['host']}: --password-stdin")
    if agent.kind is AgentKind.FINGER or before.sealed is not None:
        raise BadValue("it needs the word that proves who asks: --password-stdin")
    return bare


def purpose(entry: Entry) -> str:
    """What its password is sealed for: in an entry that leads to another host it is of no use."""
    return " ".join(["agent", *(entry.texts.get(key, "") for key in ("user", "host", "address"))])


def _place(entry: Entry) -> tuple[str, str, str]:
    """What makes it another mailbox that it fetches from."""
    texts = entry.texts
    return texts.get("host", "").lower(), texts.get("user", ""), texts.get("mailbox", "INBOX")


def read_agent(entry: Entry, unseal: Seal) -> Agent:
    """The agent that it makes. Raises `ConfigurationError`, `BadValue`."""
    try:
        password = "" if entry.sealed is None else unseal(purpose(entry), entry.sealed).decode()
    except ValueError:
        raise ConfigurationError(f"the password of the agent {entry.name} cannot be read: set it again") from None
    return agent_of(entry.name, entry.texts, password)


def _bare(entry: Entry) -> Agent:
    return agent_of(entry.name, entry.texts, "")


def _check_link(cursor: Cursor, agent: Agent, changes: Mapping[str, str]) -> None:
    """A link that is named now is there: a slip would let the agent go at any time."""
    if changes.get("link", "").strip() and Entries("link").find(cursor, agent.link) is None:
        raise BadValue(f"there is no link {agent.link}: worldmail link add")
