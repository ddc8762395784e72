"""`worldmail hold add|set|show|list|remove`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields, show_keys, show_rows
from worldmail.cli.values import OURS, changes_with_password, password_option, read_address
from worldmail.errors import BadValue
from worldmail.interfaces.holds import Hold, HoldLoad, Release

if TYPE_CHECKING:
    from worldmail.cli.running import Parts


@click.group()
def hold() -> None:
    """Queues in which mail for other sites waits until they ask for it, by ETRN, or fetch it, by ODMR."""


@hold.command()
@click.argument("name")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@password_option
@json_option
@click.pass_context
def add(ctx: click.Context, name: str, words: tuple[str, ...], password_stdin: bool, as_json: bool) -> None:
    """Add a hold.

    \b
    Mail that a site fetches with an account of this server:
      worldmail hold add shop domains=shop.example accounts=shop@relay.example
    Mail that is sent to a server with an address of its own when that asks for it:
      worldmail hold add ship domains=ship.example release=host host=192.0.2.25 networks=192.0.2.25
    """
    from worldmail.cli.running import run

    changes = changes_with_password(words, password_stdin)
    told = _made_secrets(changes)

    async def work(parts: Parts) -> Hold:
        await _check_wake(parts, changes)
        return await parts.holds.add_hold(name, changes)

    made = run(configuration(ctx), work)
    show_done(as_json, "\n".join([f"added {made.name}", *_in_words(told)]), **(_fields(made) | told))


@hold.command("set")
@click.argument("name", required=False)
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@password_option
@json_option
@click.pass_context
def set_(ctx: click.Context, name: str | None, words: tuple[str, ...], password_stdin: bool, as_json: bool) -> None:
    """Set keys of a hold; KEY= takes one back. Without any, list the keys and what they mean."""
    from worldmail.cli.running import run
    from worldmail.queue.hold_keys import HOLD_KEYS

    if name is None or not (words or password_stdin):
        show_keys(as_json, HOLD_KEYS.values())
        return
    changes = changes_with_password(words, password_stdin)
    told = _made_secrets(changes)

    async def work(parts: Parts) -> Hold:
        await _check_wake(parts, changes)
        return await parts.holds.set_hold(name, changes)

    made = run(configuration(ctx), work)
    said = [word for word in words if word.partition("=")[0] not in _hidden_keys()]
    said += [f"its {key}" for key in changes if key in _hidden_keys() and changes[key]]
    done = f"set {' '.join(said)} for {made.name}"
    show_done(as_json, "\n".join([done, *_in_words(told)]), **(_fields(made) | told))


@hold.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one hold, with what follows where nothing was set."""
    from worldmail.cli.running import run
    from worldmail.config.units import write_duration
    from worldmail.errors import NoSuchThing

    async def look(parts: Parts) -> dict[str, Any]:
        for one in await parts.holds.holds():
            if one.name == name.lower():
                return {**_fields(one), **_waits((await parts.holds.loads()).get(one.name))}
        raise NoSuchThing(f"there is no hold {name}")

    fields = run(configuration(ctx), look)
    if not as_json:
        fields = {key: value for key, value in fields.items() if value is not None}
        fields |= {key: write_duration(fields[key]) for key in ("keep", "tell", "every") if key in fields}
    show_fields(as_json, fields)


@hold.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the holds, and how much waits in them. What that is: worldmail queue list --route NAME."""
    from worldmail.cli.running import run

    async def look(parts: Parts) -> list[dict[str, Any]]:
        loads = await parts.holds.loads()
        return [{**_fields(one), **_waits(loads.get(one.name))} for one in await parts.holds.holds()]

    columns = ("name", "domains", "release", "accounts", "networks", "enabled", "waiting", "octets", "since")
    show_rows(as_json, columns, run(configuration(ctx), look))


@hold.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a hold. What waits in it goes on waiting until it is released by hand, or its time is over."""
    from worldmail.cli.running import run

    run(configuration(ctx), lambda parts: parts.holds.remove_hold(name))
    show_done(as_json, f"removed {name}", removed=name)


async def _check_wake(parts: Parts, changes: Mapping[str, str]) -> None:
    """An address that wakes is in a local domain, and nobody's: its mail is for the hold alone. Raises `BadValue`.

    Where others know addresses too, an administrator has to know that.
    """
    if not changes.get("wake", "").strip() or parts.settings.directory.sources != OURS:
        return
    address = read_address(changes["wake"].strip())
    if not any(each.name == address.domain_key and each.kind == "local" for each in await parts.admin.domains()):
        raise BadValue(f"wake takes an address of a local domain; {address.domain} is none")
    accounts = [account.address for account in await parts.admin.accounts(address.domain)]
    aliases = [alias for alias, _ in await parts.admin.aliases(address.domain)]
    if address.key in {each.key for each in (*accounts, *aliases)}:
        raise BadValue(f"{address} is there already: wake takes an address that is nobody's")


def _hidden_keys() -> tuple[str, ...]:
    from worldmail.queue.trigger_keys import SECRETS

    return ("password", *SECRETS)


def _made_secrets(changes: dict[str, str]) -> dict[str, str]:
    """Puts secrets in the places of those that are to be made; they are told once."""
    from worldmail.app.site import new_password
    from worldmail.queue.trigger_keys import NEW, SECRETS

    told = {key: new_password() for key in SECRETS if changes.get(key) == NEW}
    changes.update(told)
    return {key.replace("-", "_"): secret for key, secret in told.items()}


def _in_words(told: Mapping[str, str]) -> list[str]:
    return [f"its {key.replace('_', '-')} is {secret} (shown this once)" for key, secret in told.items()]


def _waits(load: HoldLoad | None) -> dict[str, Any]:
    """How much waits there."""
    if load is None:
        return {"waiting": 0, "octets": 0, "since": None}
    return {"waiting": load.messages, "octets": load.octets, "since": _moment(load.oldest)}


def _moment(at: int) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) if at else None


def _fields(one: Hold) -> dict[str, Any]:
    """All keys but the password; None for what says nothing with its way."""
    sent, hosted = one.release is not Release.ODMR, one.release is Release.HOST
    return {
        "name": one.name,
        "domains": list(one.domains),
        "release": one.release.value,
        "accounts": sorted(one.accounts),
        "networks": [str(network) for network in one.networks],
        "host": one.host or None,
        "port": one.port or None,
        "security": one.security.value if sent else None,
        "implicit_tls": one.implicit_tls if hosted else None,
        "pins": sorted(one.pins) or None,
        "renews": one.renews if one.pins else None,
        "user": None if one.login is None else one.login.user,
        "keep": one.keep,
        "tell": one.tell or None,
        "most": one.most or None,
        "messages": one.messages or None,
        "wake": one.wake or None,
        "wake_secret": "set" if one.wake_secret else None,
        "finger": "set" if one.finger else None,
        "every": one.every or None,
        "at_login": one.at_login if sent else None,
        "enabled": one.enabled,
    }
