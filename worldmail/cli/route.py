"""`worldmail route add|set|show|list|remove|test`."""

from __future__ import annotations

import sys
from typing import Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields, show_rows
from worldmail.cli.values import password_from_standard_input, read_address, read_settings_words
from worldmail.interfaces.queue import Route, Via

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password of the user from the first line of standard input."
)


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

    where, changes = configuration(ctx), _changes(words, password_stdin)
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
        rows = [{"key": row.key, "takes": row.takes, "meaning": row.meaning} for row in ROUTE_KEYS.values()]
        show_rows(as_json, ("key", "takes", "meaning"), rows)
        return
    where, changes = configuration(ctx), _changes(words, password_stdin)
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
        fields = {key: value for key, value in fields.items() if value is not None}
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
@json_option
@click.pass_context
def test(ctx: click.Context, address: str, sender: str | None, as_json: bool) -> None:
    """Say which route mail for ADDRESS takes. Nothing is sent, and no name looked up."""
    from worldmail.cli.running import Parts, run
    from worldmail.queue.routes import RouteTable

    who, by = read_address(address), None if sender is None else read_address(sender)

    async def look(parts: Parts) -> Route | None:
        if any(one.kind == "local" and one.name == who.domain_key for one in await parts.admin.domains()):
            return None
        return RouteTable.of(await parts.routes.routes()).route(by, who.domain_key)

    found = run(configuration(ctx), look)
    if found is None:
        sentence = f"{who.domain_key} is a domain of this server: its mail is delivered here"
        show_done(as_json, sentence, address=str(who), local=True, route=None)
        return
    by_whom = f"the route {found.name}" if found.name else "no route of yours"
    sentence = f"{who} goes by {by_whom}: via {found.via.value} {_target(found) or ''}".rstrip()
    if found.via is Via.MX:
        sentence += f", the mail exchangers of {who.domain_key}"
    show_done(as_json, sentence, address=str(who), local=False, route=_fields(found))


def _changes(words: tuple[str, ...], password_stdin: bool) -> dict[str, str]:
    """The changes, with the password that goes with a user."""
    changes = read_settings_words(words)
    if changes.get("password"):
        raise click.UsageError("a password on the command line can be seen by all: use --password-stdin")
    if password_stdin:
        changes["password"] = password_from_standard_input()
    elif changes.get("user"):
        if not sys.stdin.isatty():
            raise click.UsageError("no terminal to ask for the password of the user: use --password-stdin")
        changes["password"] = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return changes


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
        "user": None if one.login is None else one.login.user,
        "queue": one.queue or None,
        "text": one.text or None,
        "connections": one.connections if sent else None,
        "rate": one.rate if sent else None,
        "enabled": one.enabled,
    }
