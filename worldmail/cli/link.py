"""`worldmail link add|set|show|list|remove|up|down|run`."""

from __future__ import annotations

import time
from typing import Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields, show_keys, show_rows
from worldmail.cli.values import read_settings_words
from worldmail.ondemand.link_keys import LINK_KEYS, NO_ROUTE, Link

wait_option = click.option(
    "--wait", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds to wait for the outcome."
)


@click.group()
def link() -> None:
    """Links that are not always there: when they are brought up, by what, and whose mail goes over them."""


@link.command()
@click.argument("name")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@json_option
@click.pass_context
def add(ctx: click.Context, name: str, words: tuple[str, ...], as_json: bool) -> None:
    """Add a link.

    \b
    One that is dialled when mail waits for it, and seen to be up by a connection to a server beyond it:
      worldmail link add isp routes=* up="/usr/bin/nmcli c up isp" down="/usr/bin/nmcli c down isp" \\
        probe="tcp 192.0.2.25:25"
    One by satellite, for 5 MiB a day:
      worldmail link add sat kind=metered most=5MiB when="daily 06:00-20:00" routes=shore up=/etc/sat/up
    """
    from worldmail.cli.running import run

    made = run(configuration(ctx), lambda parts: parts.links.add_link(name, read_settings_words(words)))
    show_done(as_json, f"added {made.name}", **_fields(made))


@link.command("set")
@click.argument("name", required=False)
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@json_option
@click.pass_context
def set_(ctx: click.Context, name: str | None, words: tuple[str, ...], as_json: bool) -> None:
    """Set keys of a link; KEY= takes one back. Without any, list the keys and what they mean."""
    from worldmail.cli.running import run

    if name is None or not words:
        show_keys(as_json, LINK_KEYS.values())
        return
    made = run(configuration(ctx), lambda parts: parts.links.set_link(name, read_settings_words(words)))
    show_done(as_json, f"set {' '.join(words)} for {made.name}", **_fields(made))


@link.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one link, with what follows where nothing was set, and what the server found of it last."""
    from worldmail.cli.running import Parts, run
    from worldmail.errors import NoSuchThing

    async def look(parts: Parts) -> tuple[Link, dict[str, str]]:
        for one, known in await parts.links.links():
            if one.name == name.lower():
                return one, known
        raise NoSuchThing(f"there is no link {name}")

    found, known = run(configuration(ctx), look)
    fields = {**_fields(found), **_found(known, as_json)}
    if not as_json:
        fields = {key: value for key, value in fields.items() if value is not None}
    show_fields(as_json, fields)


@link.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the links, and how it was with each when a server looked last."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.links.links())
    rows = [{**_fields(one), **_found(known, as_json)} for one, known in found]
    show_rows(as_json, ("name", "kind", "routes", "enabled", "state", "since", "next", "said"), rows)


@link.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a link. What waits for it is sent."""
    from worldmail.cli.running import run

    run(configuration(ctx), lambda parts: parts.links.remove_link(name))
    show_done(as_json, f"removed {name}", removed=name)


@link.command()
@click.argument("name")
@wait_option
@json_option
@click.pass_context
def up(ctx: click.Context, name: str, wait: float, as_json: bool) -> None:
    """Let the server bring a link up, whatever its timetable says, until there is nothing to do over it."""
    _ask(ctx, name, "up", wait, as_json)


@link.command()
@click.argument("name")
@wait_option
@json_option
@click.pass_context
def down(ctx: click.Context, name: str, wait: float, as_json: bool) -> None:
    """Let the server take a link down. It stays down until `link up` or `link run`; its mail waits."""
    _ask(ctx, name, "down", wait, as_json)


@link.command("run")
@click.argument("name")
@wait_option
@json_option
@click.pass_context
def run_(ctx: click.Context, name: str, wait: float, as_json: bool) -> None:
    """Let the server bring a link up, send what waits for it, run its agents, and take it down."""
    _ask(ctx, name, "run", wait, as_json)


def _ask(ctx: click.Context, name: str, what: str, wait: float, as_json: bool) -> None:
    from worldmail.cli.running import run

    answer = run(configuration(ctx), lambda parts: parts.links.ask(name, what, wait))
    if not answer.ok:
        raise click.ClickException(f"{name}: {answer.words}")
    show_done(as_json, f"{name}: {answer.words}", name=name, asked=what, said=answer.words)


def _fields(one: Link) -> dict[str, Any]:
    """All keys; None for what says nothing with its kind."""
    from worldmail.config.units import write_duration, write_octets

    kind = one.kind.value

    def of(key: str, value: Any) -> Any:
        """The value, unless the key says nothing of this kind."""
        kinds = LINK_KEYS[key].of
        return value if kinds is None or kind in kinds else None

    return {
        "name": one.name,
        "kind": kind,
        "when": of("when", str(one.when)),
        "routes": [each or NO_ROUTE for each in one.routes],
        "up": None if one.up is None else str(one.up),
        "down": None if one.down is None else str(one.down),
        "probe": None if one.probe is None else str(one.probe),
        "interval": write_duration(one.interval),
        "patience": write_duration(one.patience),
        "idle": of("idle", write_duration(one.idle)),
        "most": of("most", write_octets(one.most) if one.most else None),
        "agents": one.agents,
        "enabled": one.enabled,
    }


def _found(known: dict[str, str], as_json: bool) -> dict[str, Any]:
    """What a server found last. Times: epoch seconds in JSON, else those of the machine's clock."""
    day, _, spent = known.get("spent", "").partition(" ")
    state = known.get("state")
    return {
        "state": f"{state}, held" if state is not None and "held" in known else state,
        "since": _moment(known.get("since"), as_json),
        "next": _moment(known.get("next"), as_json),
        "said": known.get("words"),
        "spent": int(spent) if day == time.strftime("%Y-%m-%d") and spent.isdecimal() else None,
    }


def _moment(text: str | None, as_json: bool) -> int | str | None:
    if text is None or not text.isdecimal():
        return None
    return int(text) if as_json else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(int(text)))
