"""What a site does when its link is there: agents that fetch mail or ask for it, links that they go over."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Mapping
from typing import Any

from attrs import field, frozen
from zope.interface import Attribute, Interface


class AgentKind(enum.Enum):
    """What an agent does."""

    ODMR = "odmr"  # fetches what a relay holds for us (RFC 2645)
    ETRN = "etrn"  # asks a server to send what waits there for us (RFC 1985)
    POP3 = "pop3"  # fetches from a mailbox elsewhere (RFC 1939)
    IMAP = "imap"  # the same (RFC 9051)
    WAKE = "wake"  # asks by a message to an address that a server set for it
    FINGER = "finger"  # asks by a query to its finger server


@frozen(kw_only=True)
class Agent:
    """Something that is done at certain times, over a link that may not always be there.

    Args:
        name: as administrators call it.
        kind: what it does.
        when: its timetable in words (`ondemand.timetable`); "never" if it is only run by hand or by its link.
        link: the name of the link that it goes over; "" if it can go at any time.
        enabled: False if it is to run by hand alone.
        values: of its kind's own keys, by field (`agent_keys.AGENT_KEYS`); with a server among them `host`, `port`,
            `security`, `implicit_tls` and `login`.
    """

    name: str
    kind: AgentKind
    when: str = "never"
    link: str = ""
    enabled: bool = True
    values: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class Result:
    """What came of one run.

    Args:
        ok: it did what it was to do; nothing waiting is no fault.
        words: what happened, in one sentence for people, the other server's words among them.
        messages: how many were fetched, or asked for; None if that is not known.
        resume: it was to go on and on, and should soon do so again, whatever ended it.
    """

    ok: bool
    words: str
    messages: int | None = None
    resume: bool = False


class Wrong(str):
    """A line that tells what went wrong."""

    __slots__ = ()


class IErrand(Interface):
    """What agents of one kind do. Both methods end by themselves within some minutes of silence of the peer."""

    kind = Attribute("AgentKind: of whom")

    def run(agent: Agent) -> Awaitable[Result]:
        """Do it. Never fails: whatever goes wrong is the result. Cancelled, it comes to rest and loses nothing."""

    def test(agent: Agent) -> Awaitable[list[str]]:
        """Go as far as can be gone without changing anything here or there; what was found, a line for each step.

        A collection says for each message whom it would go to. What goes wrong is the last line, `Wrong`.
        """


class IAgentAdmin(Interface):
    """Changing the agents. Raises `NoSuchThing`, `AlreadyThere`, `BadValue`. No password is given: they are ""."""

    def agents() -> Awaitable[list[Agent]]:
        """All agents, by name."""

    def add_agent(name: str, changes: Mapping[str, str]) -> Awaitable[Agent]:
        """Add an agent with these keys (`BadValue` names the key and what it takes)."""

    def set_agent(name: str, changes: Mapping[str, str]) -> Awaitable[Agent]:
        """Set keys of an agent."""

    def remove_agent(name: str) -> Awaitable[None]:
        """Remove an agent, and what is remembered for it."""


class IAgents(Interface):
    """The agents of a running server."""

    def run(name: str) -> Awaitable[Result]:
        """Run one now, whatever its timetable says; if it is running, the result of that run."""

    def run_over(link: str) -> Awaitable[list[Result]]:
        """Run all enabled agents of a link, since that is up."""

    def busy(link: str) -> bool:
        """Does an agent run over this link now?"""


class LinkKind(enum.Enum):
    """When a link may be up."""

    ALWAYS = "always"
    WINDOWS = "windows"  # within its timetable
    ON_DEMAND = "on-demand"  # while there is something to send, or an agent to run
    METERED = "metered"  # the same, and what it costs is bounded


class LinkState(enum.Enum):
    """Whether a link is up."""

    UP = "up"
    DOWN = "down"
    RISING = "rising"  # its command runs, or the first probe has not answered


class ILinks(Interface):
    """The links of a running server."""

    driving = Attribute("bool: this process looks after the links; of several on one database one does")

    def state(name: str) -> LinkState:
        """Whether it is up; a name that nobody knows is up, and so is ""."""

    def agents_at_once(name: str) -> int:
        """How many agents may run over it at the same time."""

    def want(name: str) -> Awaitable[bool]:
        """Somebody wants to go over it now: whether it is up, brought up if it may be."""
