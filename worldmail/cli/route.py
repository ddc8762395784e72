"""`worldmail route add|set|show|list|remove|test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields, show_keys, show_rows
from worldmail.cli.values import changes_with_password, password_option, read_address
from worldmail.interfaces.queue import Route, Via

if TYPE_CHECKING:
    from worldmail.config.settings import Settings


_ZEROS = {"connections": "0 (as the settings say)", "rate": "0 (any)"}


@click.group()
def route() -> None:
    """Where mail for other servers goes: to those that the DNS names, unless a route says otherwise."""


@route.command()
@click.argument("name")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@password_option
@json_option
@click.pass_context
def add(ctx: click.Context, name: str, words: tuple[str, ...], password_stdin: bool, as_json: bool) -> None:
    """Add a route.

    \b
    All mail over the provider (asks for the password):
      worldmail route add isp via=host host=smtp.isp.example user=me
    One domain to a server behind this one:
      worldmail route add inner domain=inner.example via=host host=192.0.2.25
    Mail for a site that fetches it:
      worldmail route add shop domain=shop.example via=hold
    """
    from worldmail.cli.running import run

    where, changes = configuration(ctx), changes_with_password(words, password_stdin)
    made = run(where, lambda parts: parts.routes.add_route(name, changes))
    _tell(as_json, f"added {made.name}", made)


@route.command("set")
@click.argument("name", required=False)
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@password_option
@json_option
@click.pass_context
def set_(ctx: click.Context, name: str | None, words: tuple[str, ...], password_stdin: bool, as_json: bool) -> None:
    """Set keys of a route; KEY= takes one back. Without any, list the keys and what they mean."""
    from worldmail.cli.running import run
    from worldmail.queue.route_keys import ROUTE_KEYS

    if name is None or not (words or password_stdin):
        show_keys(as_json, ROUTE_KEYS.values())
        return
    where, changes = configuration(ctx), changes_with_password(words, password_stdin)
    made = run(where, lambda parts: parts.routes.set_route(name, changes))
    said = [*words, *(["its password"] if "password" in changes else [])]
    _tell(as_json, f"set {' '.join(said)} for {made.name}", made)


@route.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one route, with what follows where nothing was set."""
    from worldmail.cli.running import Parts, run
    from worldmail.errors import NoSuchThing

    async def look(parts: Parts) -> Route:
        for one in await parts.routes.routes():
            if one.name == name.lower():
                return one
        raise NoSuchThing(f"there is no route {name}")

    fields = _fields(run(configuration(ctx), look))
    if not as_json:
        unset = {key: words for key, words in _ZEROS.items() if fields[key] == 0}
        fields = {key: value for key, value in {**fields, **unset}.items() if value is not None}
    show_fields(as_json, fields)


@route.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the routes, in the order in which they are looked through: the first that fits is taken."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.routes.routes())
    rows = [_fields(one) if as_json else {**_fields(one), "to": _target(one)} for one in found]
    show_rows(as_json, ("name", "domain", "sender", "via", "to", "enabled"), rows)


@route.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a route. What waits for it goes by the next that fits."""
    from worldmail.cli.running import run

    run(configuration(ctx), lambda parts: parts.routes.remove_route(name))
    show_done(as_json, f"removed {name}", removed=name)


@route.command()
@click.argument("address")
@click.option("--from", "sender", metavar="SENDER", help="The address that the mail is from; without it, nobody's.")
@click.option("--hosts", is_flag=True, help="Ask the DNS, and list the servers in the order in which they are tried.")
@json_option
@click.pass_context
def test(ctx: click.Context, address: str, sender: str | None, hosts: bool, as_json: bool) -> None:
    """Say which route mail for ADDRESS takes. Nothing is sent, and without --hosts no name is looked up."""
    if hosts:  # looking up takes a whole reactor, in place of the commands' own
        from twisted.internet import reactor as _  # noqa: F401  # it is installed by this
    from worldmail.cli.running import Parts, run
    from worldmail.queue.routes import RouteTable

    who, by = read_address(address), None if sender is None else read_address(sender)

    async def look(parts: Parts) -> tuple[Route | None, list[dict[str, Any]]]:
        if any(one.kind == "local" and one.name == who.domain_key for one in await parts.admin.domains()):
            return None, []
        chosen = RouteTable.of(await parts.routes.routes()).route(by, who.domain_key)
        return chosen, await _servers(parts.settings, chosen, who.domain_key) if hosts else []

    found, servers = run(configuration(ctx), look)
    fields = {"address": str(who), "local": found is None, "route": None if found is None else _fields(found)}
    if hosts:
        fields["servers"] = servers
    show_done(as_json, "\n".join(_lines(str(who), who.domain_key, found, servers)), **fields)


async def _servers(settings: Settings, chosen: Route, domain: str) -> list[dict[str, Any]]:
    """The servers that would be tried, and what is wrong, as the queue would find it."""
    from worldmail.app.ground import host_name
    from worldmail.app.outgoing import make_exchangers
    from worldmail.cli.reactor import command_reactor
    from worldmail.interfaces.outbound import HopFailed
    from worldmail.transport.dns.resolver import Resolver

    if chosen.via not in (Via.MX, Via.HOST, Via.LMTP):
        return []
    limit = float(settings.dns.timeout)
    resolver = Resolver(reactor=command_reactor(), servers=settings.dns.servers, limit=limit)
    servers: list[dict[str, Any]] = []
    try:
        async for hop in make_exchangers(settings, resolver, host_name(settings)).hops(chosen, domain):
            # One by one: those that were found before something failed count.
            servers.append({"host": hop.host, "port": hop.port, "addresses": list(hop.addresses)})  # noqa: PERF401
    except HopFailed as failed:
        servers.append({"status": failed.trouble.status, "reason": failed.trouble.reason})
    return servers


def _lines(address: str, domain: str, found: Route | None, servers: list[dict[str, Any]]) -> list[str]:
    if found is None:
        return [f"{domain} is a domain of this server: its mail is delivered here"]
    by = f"the route {found.name}" if found.name else "no route of yours"
    way = f"the mail exchangers of {domain}" if found.via is Via.MX else _target(found)
    lines = [f"{address} goes by {by}: via {found.via.value}, {way}"]
    for each in servers:
        if "host" in each:
            lines.append(f"  {each['host']} port {each['port']}: {', '.join(each['addresses'])}")
        else:
            lines.append(f"  {each['status']} {each['reason']}")
    return lines


def _tell(as_json: bool, sentence: str, made: Route) -> None:
    show_done(as_json, sentence, **_fields(made))


def _target(one: Route) -> str | None:
    """Where it leads, in a word or two."""
    if one.host:
        host = f"[{one.host}]" if ":" in one.host else one.host
        return f"{host}:{one.port}"
    return one.queue or one.text or None


def _fields(one: Route) -> dict[str, Any]:
    """All keys but the password; None for what says nothing with its way."""
    sent, hosted = one.via in (Via.MX, Via.HOST, Via.LMTP), bool(one.host)
    return {
        "name": one.name,
        "domain": one.domain,
        "sender": one.sender,
        "via": one.via.value,
        "host": one.host or None,
        "port": one.port or None,
        "security": one.security.value if sent else None,
        "implicit_tls": one.implicit_tls if hosted else None,
        "pins": sorted(one.pins) or None,
        "renews": one.renews if one.pins else None,
        "user": None if one.login is None else one.login.user,
        "queue": one.queue or None,
        "text": one.text or None,
        "connections": one.connections if sent else None,
        "rate": one.rate if sent else None,
        "enabled": one.enabled,
    }
