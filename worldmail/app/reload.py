"""What a SIGHUP changes, and what waits for the next start.

Everything new is made first, and taken up only once all of it could be made. Sessions that are open go on as they
began; those that begin later are made by the new settings: each listener keeps its ports and its counters, and
takes over how connections go at the new one for the same ports. A listener that was left out at the start, for want of
a certificate, is opened once there is one, if the process may still bind its ports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen
from twisted.application.service import IServiceCollection

from worldmail.app.assembly import Assembly, make_limits
from worldmail.config.listeners import listeners
from worldmail.config.settings import GENERAL_SECTIONS, Settings
from worldmail.directory.directory import Directory
from worldmail.errors import ConfigurationError
from worldmail.interfaces.protocol import IProtocol, ISuccessor
from worldmail.interfaces.world import IJournal
from worldmail.plugin import find
from worldmail.policy.chain import policy_chain
from worldmail.transport.listen import Listener

LIVE = frozenset(
    {
        "tls",
        "policy",
        "queue",
        "log.level",
        "limits.exempt",
        "limits.connections",
        "limits.connections_per_address",
        "limits.connections_per_account",
        "limits.tls_per_minute",
        "limits.commands_per_minute",
        "auth.plaintext_without_tls",
        "relay.recipient_files",
        "relay.recheck",
    }
)
"""What of the general sections is taken up without a restart: sections, or single settings."""


@frozen(kw_only=True)
class Difference:
    """One setting that is not what it was: its section and name, and whether the running server takes it up."""

    section: str
    name: str
    live: bool

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"


@frozen(kw_only=True)
class TakenUp:
    """What the server consists of by new settings, and why listeners that have a certificate now are not open."""

    assembly: Assembly
    shut: tuple[str, ...]


def take_up(assembly: Assembly, new: Settings) -> TakenUp:
    """Make the running server go by these settings, as far as it can.

    Raises: `ConfigurationError`; then nothing was changed.
    """
    world = attrs.evolve(assembly.world, settings=new, policy=_policy(assembly, new))
    queue = assembly.outgoing.renewed(new)
    go_back = assembly.tls.reload(new.tls)  # first: which listeners a service makes depends on the certificates
    try:
        renewed = {
            plugin.name: plugin.service(world, new.protocols[plugin.name])
            for plugin in find(IProtocol)
            if _has_listeners(assembly.protocols.get(plugin.name))
        }
    except BaseException:
        go_back()
        raise
    queue()
    assembly.ondemand.errands.renew(world)
    assembly.limits.reconfigure(make_limits(new))
    assert isinstance(world.directory, Directory)
    world.directory.reload(new)
    shut: list[str] = []
    for name, service in renewed.items():
        _renew(assembly.protocols[name], service)
        shut += _open_left_out(assembly.protocols[name], service, world.journal)
    return TakenUp(assembly=attrs.evolve(assembly, world=world), shut=tuple(shut))


def differences(old: Settings, new: Settings, protocols: Mapping[str, Any]) -> Iterator[Difference]:
    """Every setting that differs, in the order of the file. `protocols` are the running services."""
    before, after = old.sections(), new.sections()
    for section in (name for name in after if name in before):
        for attribute in attrs.fields(type(after[section])):
            one, other = getattr(before[section], attribute.name), getattr(after[section], attribute.name)
            if one != other:
                live = _is_live(section, attribute.name, one, other, protocols)
                yield Difference(section=section, name=attribute.name, live=live)


def _is_live(section: str, name: str, old: Any, new: Any, protocols: Mapping[str, Any]) -> bool:
    if section in GENERAL_SECTIONS:
        return section in LIVE or f"{section}.{name}" in LIVE
    return list(listeners(old)) == list(listeners(new)) and _has_listeners(protocols.get(section))


def _policy(assembly: Assembly, new: Settings) -> Any:
    old = assembly.world.settings
    if old.policy == new.policy:
        return assembly.world.policy  # with what it has counted
    parts = assembly.store
    foundations = attrs.evolve(
        parts.foundations,
        settings=new,
        directory=assembly.world.directory,
        mailboxes=parts.mailboxes,
        routes=assembly.outgoing.routes,
    )
    return policy_chain(foundations)


def _renew(running: Any, new: Any) -> None:
    """Let connections to each listener go as the new one for the same ports has it."""
    made = list(_listeners_of(new))
    for listener in _listeners_of(running):
        there = [one for one in made if one.places == listener.places]
        successor = next((one for one in there if one.name == listener.name), there[0] if there else None)
        if successor is not None:
            maker = successor.factory.make_dialogue
            if ISuccessor.providedBy(maker):
                maker.succeed(listener.factory.make_dialogue)
            listener.factory.follow(successor.factory)


def _open_left_out(running: Any, new: Any, journal: IJournal) -> Iterator[str]:
    """Open the new listeners for the ports that the running service left out; of those that cannot be, why."""
    left_out: set[Any] = getattr(running, "left_out", set())
    for listener in [one for one in _listeners_of(new) if one.places in left_out]:
        try:
            listener.privilegedStartService()
        except ConfigurationError as error:
            yield str(error)
            continue
        left_out.discard(listener.places)
        listener.disownServiceParent()
        listener.setServiceParent(running)
        places = [f"{host}:{port}" for host, port in listener.addresses]
        journal.record("listener.opened", listener=listener.name, listening=places)


def _has_listeners(service: Any) -> bool:
    return any(_listeners_of(service)) or bool(getattr(service, "left_out", ()))


def _listeners_of(service: Any) -> Iterator[Any]:
    if isinstance(service, Listener):
        yield service
    elif IServiceCollection.providedBy(service):
        for child in service:
            yield from _listeners_of(child)
