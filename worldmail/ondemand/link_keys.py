"""The keys of a link that an administrator may set, and the link that they make."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping

from attrs import frozen

from worldmail.config.keys import Key, KeyTable, kept_name, listed, switch
from worldmail.config.units import duration, octets
from worldmail.config.values import number
from worldmail.errors import BadValue
from worldmail.interfaces.ondemand import LinkKind
from worldmail.interfaces.resting import ANY_ROUTE
from worldmail.ondemand.timetable import Timetable

NO_ROUTE = "-"
"""How administrators call the way that no route made."""

AGENTS = 5
"""How many agents of a link run at the same time, if nothing is said."""

ARGUMENTS = 100
"""Words that a command may have."""

_METERED = frozenset({LinkKind.METERED.value})
_WITH_IDLE = _METERED | {LinkKind.WINDOWS.value, LinkKind.ON_DEMAND.value}


@frozen
class Command:
    """A program and its arguments; no shell reads them."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        """As it is written."""
        return shlex.join(self.words)


@frozen
class Knock:
    """A TCP connection that is opened and closed again. `address`: an IP address in text."""

    address: str
    port: int

    def __str__(self) -> str:
        """As it is written."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"tcp {host}:{self.port}"


@frozen(kw_only=True)
class Link:
    """A link, and when it is up. Times in seconds.

    Args:
        name: as administrators call it.
        kind, when: when it may be up, and when it is brought up whatever there is to do.
        up, down: what brings it up and down; None if nothing has to be done for it.
        probe: how to see whether it is up; None if it is when `up` says so.
        interval: between two probes.
        patience: how long `up`, `down` and a probe may take, and how long it may take until the first probe answers.
        routes: names of the routes whose mail goes over it; "" is the way that no route made, `ANY_ROUTE` all that
            leave and are no other link's.
        idle: for how long there is nothing to do before it goes down.
        most: octets of messages that are sent over it in a day; 0 for no bound.
        agents: how many of its agents run at the same time.
        enabled: False if it is as if it were not there: its mail goes at any time.
    """

    name: str
    kind: LinkKind
    when: Timetable
    up: Command | None
    down: Command | None
    probe: Command | Knock | None
    interval: float
    patience: float
    routes: tuple[str, ...]
    idle: float
    most: int
    agents: int
    enabled: bool


def _command(text: str) -> Command:
    words = tuple(shlex.split(text))
    if not 1 <= len(words) <= ARGUMENTS or any("\0" in word for word in words) or not words[0].startswith("/"):
        raise ValueError
    return Command(words)


def _probe(text: str) -> Command | Knock:
    word, _, place = text.partition(" ")
    if word.lower() != "tcp":
        return _command(text)
    host, colon, port = place.strip().rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or not 1 <= int(port) <= 65535:
        raise ValueError
    return Knock(str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port))


def _route(text: str) -> str:
    if text in (ANY_ROUTE, NO_ROUTE):
        return "" if text == NO_ROUTE else text
    return kept_name(text)


def _within(text: str, least: float, most: float) -> float:
    seconds = duration(text)
    if not least <= seconds <= most:
        raise ValueError
    return float(seconds)


def _most(text: str) -> int:
    most = octets(text)
    if most < 1:
        raise ValueError
    return most


_A_COMMAND = "the full path of a program and its arguments; quotes as in a shell, but none reads it"

LINK_KEYS = KeyTable(
    (
        Key(
            key="kind",
            meaning="When it is up: always, within windows of time, on demand, or on demand and bounded.",
            takes=f"one of: {', '.join(each.value for each in LinkKind)}",
            parse=lambda text: LinkKind(text.lower()),
            default=LinkKind.ON_DEMAND,
        ),
        Key(
            key="when",
            meaning="Its timetable. Of windows: when it is up; of the other two: when it may be. With every, and at"
            " moments, it is brought up whatever there is to do; else always.",
            takes='a timetable such as "mon-fri 08:00-18:00" or "every 2h; sun 07:30"',
            parse=Timetable.parse,
            default=Timetable.parse("always"),
            of=_WITH_IDLE,
        ),
        Key(
            key="routes",
            meaning="Whose mail goes over it; mail of other routes goes at any time.",
            takes="names of routes with commas between them, - for the way that no route made, * for all that leave"
            " and are no other link's",
            parse=listed(_route),
            default=(),
        ),
        Key(key="up", meaning="What brings it up.", takes=_A_COMMAND, parse=_command),
        Key(key="down", meaning="What brings it down again.", takes=_A_COMMAND, parse=_command),
        Key(
            key="probe",
            meaning="How to see whether it is up.",
            takes="tcp ADDRESS:PORT, which must accept a connection, or a command, which must end with 0:"
            f" {_A_COMMAND}",
            parse=_probe,
        ),
        Key(
            key="interval",
            meaning="The time between two probes; else 1m.",
            takes='a time such as "30s", from a second to a day',
            parse=lambda text: _within(text, 1, 86400),
            default=60.0,
        ),
        Key(
            key="patience",
            meaning="How long each command may take, and the first probe until it answers; else 2m.",
            takes='a time such as "2m", from a second to an hour',
            parse=lambda text: _within(text, 1, 3600),
            default=120.0,
        ),
        Key(
            key="idle",
            meaning="After how long with nothing to do it goes down; else 1m.",
            takes='a time such as "90s", up to a day',
            parse=lambda text: _within(text, 0, 86400),
            default=60.0,
            of=_WITH_IDLE,
        ),
        Key(
            key="most",
            meaning="How much mail is sent over it in a day; else as much as there is.",
            takes='a size such as "5MiB"',
            parse=_most,
            default=0,
            of=_METERED,
        ),
        Key(
            key="agents",
            meaning="How many of its agents run at the same time; else 5.",
            takes="a number from 1 to 30",
            parse=number(1, 30),
            default=AGENTS,
        ),
        Key(
            key="enabled",
            meaning="Whether it is looked after; off lets its mail go at any time.",
            takes="on or off",
            parse=switch,
            default=True,
        ),
    ),
    chooser="kind",
)


def link_of(name: str, texts: Mapping[str, str]) -> Link:
    """The link that these make. Raises `BadValue`."""
    values = LINK_KEYS.read(texts)
    if values["kind"] is LinkKind.WINDOWS and "when" not in texts:
        raise BadValue("kind=windows needs a timetable: when=TIMETABLE")
    return Link(name=name, **values)
