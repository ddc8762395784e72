"""The keys of an agent that an administrator may set, and the agent that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve

from worldmail.config.host_keys import Ports, host_keys, host_of
from worldmail.config.keys import PASSWORD, Key, KeyTable, kept_name, listed, switch
from worldmail.config.units import duration
from worldmail.config.values import domain_pattern
from worldmail.errors import BadValue
from worldmail.interfaces.ondemand import Agent, AgentKind
from worldmail.interfaces.outbound import Login, Security
from worldmail.ondemand.collecting_keys import COLLECTING_KEYS, check_collecting
from worldmail.ondemand.timetable import Timetable
from worldmail.ondemand.wake_keys import WAKE_KEYS

NAMES = 100
"""Domains or queues that one agent asks for, at most."""

_ODMR, _ETRN = frozenset({AgentKind.ODMR.value}), frozenset({AgentKind.ETRN.value})
_SERVER = _ODMR | _ETRN | {AgentKind.POP3.value, AgentKind.IMAP.value}
_FINGER = frozenset({AgentKind.FINGER.value})
_SECRET = _FINGER | {AgentKind.WAKE.value}

PORTS: Mapping[AgentKind, Ports] = {
    AgentKind.ODMR: Ports(plain=366, user=366, implicit_tls=366),  # RFC 2645 §3
    AgentKind.ETRN: Ports(plain=25, user=587, implicit_tls=465),
    AgentKind.POP3: Ports(plain=110, user=110, implicit_tls=995),
    AgentKind.IMAP: Ports(plain=143, user=143, implicit_tls=993),
    AgentKind.FINGER: Ports(plain=79, user=79, implicit_tls=79),
    AgentKind.WAKE: Ports(plain=0, user=0, implicit_tls=0),
}

_SIGNS_IN_SAFELY = frozenset({AgentKind.ODMR, AgentKind.ETRN, AgentKind.POP3, AgentKind.IMAP})
"""Kinds that without TLS sign in only by mechanisms that do not show the password (RFC 1939 §7, RFC 2195, RFC 5802)."""

_CHECKS: Mapping[AgentKind, Callable[[Mapping[str, Any]], None]] = {
    AgentKind.POP3: check_collecting,
    AgentKind.IMAP: check_collecting,
}
"""What else must hold of the values of a kind. Each raises `BadValue`."""

NO_KIND = f"an agent needs a kind: kind={'|'.join(each.value for each in AgentKind)}"

_OF_ALL = frozenset(("kind", "when", "link", "enabled"))


def _timetable(text: str) -> str:
    return str(Timetable.parse(text))


def _name(text: str) -> str:
    if not text.isprintable() or len(text) > 64:
        raise ValueError
    return text


def _node(text: str) -> str:
    """RFC 1985 §5.2, §5.3: a domain, "@" with all below it, "#" a queue."""
    if text.startswith("#"):
        return f"#{kept_name(text[1:])}"
    domain = domain_pattern(text.removeprefix("@"))
    if domain.startswith((".", "[", "*")):
        raise ValueError
    return f"@{domain}" if text.startswith("@") else domain


def _stay(text: str) -> int:
    seconds = 0 if text.lower() == "off" else int(duration(text))
    if seconds and not 10 <= seconds <= 3600:
        raise ValueError
    return seconds


def _general() -> Iterable[Key]:
    yield Key(
        key="kind",
        meaning="What it does: fetch held mail by ODMR, ask for it by ETRN, a message or finger, or fetch from a"
        " mailbox elsewhere. It stays what it is.",
        takes=f"one of: {', '.join(each.value for each in AgentKind)}",
        parse=lambda text: AgentKind(text.lower()),
    )
    yield Key(
        key="when",
        meaning="Its timetable; else it runs by hand, and when its link comes up.",
        takes='a timetable such as "every 15m" or "mon-fri 08:00-18:00 every 30m; sat 10:00", or never',
        parse=_timetable,
        default="never",
    )
    yield Key(
        key="link",
        meaning="The link that it goes over: it waits for that, and runs whenever it comes up.",
        takes="the name of a link",
        parse=kept_name,
        default="",
    )
    yield Key(
        key="enabled",
        meaning="Whether it runs by itself; off leaves it to be run by hand.",
        takes="on or off",
        parse=switch,
        default=True,
    )


def _asking() -> Iterable[Key]:
    yield Key(
        key="domains",
        meaning="odmr: the domains whose mail is fetched, else all that waits for the user."
        " pop3, imap: the domains whose mail lies there; each message is sorted to its recipients.",
        takes="domains, with commas between them",
        parse=next(row.parse for row in COLLECTING_KEYS if row.key == "domains"),
        default=(),
        of=_ODMR | {AgentKind.POP3.value, AgentKind.IMAP.value},
    )
    yield Key(
        key="listener",
        meaning="By the settings of which listener fetched mail is taken; else the first one of role mx.",
        takes="the name of a listener of role mx",
        parse=_name,
        default="",
        of=_ODMR,
    )
    yield Key(
        key="stay",
        meaning="After so many seconds of silence each end says that it is there, on a connection that stays open so"
        " that new mail comes at once; for relays that can do that. Else it closes when all is fetched.",
        takes='a time such as "1m", from 10s to 1h, or off',
        parse=_stay,
        default=0,
        of=_ODMR,
    )
    yield Key(
        key="names",
        meaning="What is asked for, in one command each.",
        takes="domains, @ and a domain for all below it too, or # and the name of a queue there, with commas between",
        parse=listed(_node, NAMES),
        default=(),
        of=_ETRN,
    )


def _servers() -> Iterable[Key]:
    ports = "366, 25 (587 with user, 465 with implicit-tls), 110 (995), 143 (993) or 79, as the kind has it"
    for row in host_keys(_SERVER, of_security=_SERVER, ports=ports):
        if row.key in ("host", "port"):
            yield evolve(row, of=_SERVER | _FINGER)
        elif row.key == PASSWORD:
            meaning = "The password of the user, or what wake and finger say to prove who asks: asked for, or with"
            yield evolve(row, of=_SERVER | _SECRET, meaning=f"{meaning} --password-stdin from standard input.")
        else:
            yield row


AGENT_KEYS = KeyTable(
    (
        *_general(),
        *_servers(),
        *_asking(),
        *(row for row in COLLECTING_KEYS if row.key != "domains"),
        *WAKE_KEYS,
    ),
    chooser="kind",
)


def agent_of(name: str, texts: Mapping[str, str], password: str) -> Agent:
    """The agent that these make. Raises `BadValue`."""
    values = AGENT_KEYS.read(texts)
    kind = values["kind"]
    if kind is None:
        raise BadValue(NO_KIND)
    made = _with_server(kind, values, password)
    check = _CHECKS.get(kind)
    if check is not None:
        check(made)
    if kind is AgentKind.ETRN and not made["names"]:
        raise BadValue("it asks for nothing: names=DOMAIN")
    if kind is AgentKind.WAKE and not (made["address"] and made["sender"]):
        raise BadValue("the message needs an address and a sender: address=ADDRESS sender=ADDRESS")
    made["secret"] = password if kind.value in _SECRET else ""
    rest = {key: value for key, value in made.items() if key not in _OF_ALL}
    return Agent(name=name, kind=kind, when=values["when"], link=values["link"], enabled=values["enabled"], values=rest)


def _with_server(kind: AgentKind, values: Mapping[str, Any], password: str) -> dict[str, Any]:
    """The values with `login`, and what follows where nothing was given. Raises `BadValue`."""
    user, clear = values["user"], values["security"] is Security.NEVER and not values["implicit_tls"]
    if user and clear and kind in _SIGNS_IN_SAFELY:
        made = host_of({**values, "user": "", "port": values["port"] or PORTS[kind].user}, "", PORTS[kind])
        made["login"] = Login(user=user, password=password)
    else:
        made = host_of(values, password, PORTS[kind])
    if kind.value in _SERVER | _FINGER and not made["host"]:
        raise BadValue(f"an agent of kind {kind.value} needs a server: host=NAME")
    if kind.value in _SERVER - _ETRN and not user:
        raise BadValue(f"an agent of kind {kind.value} has to sign in: user=NAME and --password-stdin")
    return made
