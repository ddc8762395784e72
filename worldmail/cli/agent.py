"""`worldmail agent add|set|show|list|remove|run|test`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, printable, show_done, show_fields, show_rows
from worldmail.cli.values import changes_with_password, password_option
from worldmail.interfaces.ondemand import Agent

wait_option = click.option(
    "--wait", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds to wait for the outcome."
)


@click.group()
def agent() -> None:
    """What fetches mail from other servers, or asks that it be sent: when, from where, and what came of it."""


@agent.command()
@click.argument("name")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@password_option
@json_option
@click.pass_context
def add(ctx: click.Context, name: str, words: tuple[str, ...], password_stdin: bool, as_json: bool) -> None:
    """Add an agent.

    \b
    One that fetches by ODMR what a relay holds for this site:
      worldmail agent add relay kind=odmr host=relay.example user=shop@relay.example when="every 15m"
    One that asks a server by ETRN to send what waits there, whenever the link comes up:
      worldmail agent add isp kind=etrn host=mx.isp.example names=shop.example,#shop link=isp
    One that fetches from a mailbox elsewhere:
      worldmail agent add old kind=pop3 host=pop.isp.example implicit-tls=on user=shop recipient=info@shop.example \\
        when="mon-fri 08:00-18:00 every 10m"
    """
    from worldmail.cli.running import run

    changes = changes_with_password(words, password_stdin)
    made = run(configuration(ctx), lambda parts: parts.agents.add_agent(name, changes))
    show_done(as_json, f"added {made.name}", **_fields(made))


@agent.command("set")
@click.argument("name", required=False)
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@password_option
@json_option
@click.pass_context
def set_(ctx: click.Context, name: str | None, words: tuple[str, ...], password_stdin: bool, as_json: bool) -> None:
    """Set keys of an agent; KEY= takes one back. Without any, list the keys and what they mean."""
    from worldmail.cli.running import run
    from worldmail.ondemand.agent_keys import AGENT_KEYS

    if name is None or not (words or password_stdin):
        rows = [
            {"key": row.key, "of": sorted(row.of or ("all",)), "takes": row.takes, "meaning": row.meaning}
            for row in AGENT_KEYS.values()
        ]
        show_rows(as_json, ("key", "of", "takes", "meaning"), rows)
        return
    changes = changes_with_password(words, password_stdin)
    made = run(configuration(ctx), lambda parts: parts.agents.set_agent(name, changes))
    said = [*words, *(["its password"] if "password" in changes else [])]
    show_done(as_json, f"set {' '.join(said)} for {made.name}", **_fields(made))


@agent.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one agent, with what follows where nothing was set, and what came of its last run."""
    from worldmail.cli.running import Parts, run
    from worldmail.errors import NoSuchThing

    async def look(parts: Parts) -> tuple[Agent, Mapping[str, str]]:
        for one in await parts.agents.agents():
            if one.name == name.lower():
                return one, (await parts.agents.statuses()).get(one.name, {})
        raise NoSuchThing(f"there is no agent {name}")

    found, known = run(configuration(ctx), look)
    fields = {**_fields(found), **_found(known, as_json)}
    if not as_json:
        fields = {key: value for key, value in fields.items() if value not in (None, [])}
        if isinstance(fields.get("leave"), float):
            from worldmail.config.units import write_duration

            fields["leave"] = write_duration(fields["leave"])
    show_fields(as_json, fields)


@agent.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the agents, when each runs next, and what came of its last run."""
    from worldmail.cli.running import Parts, run

    async def look(parts: Parts) -> list[dict[str, Any]]:
        known = await parts.agents.statuses()
        return [{**_fields(one), **_found(known.get(one.name, {}), as_json)} for one in await parts.agents.agents()]

    rows = run(configuration(ctx), look)
    show_rows(as_json, ("name", "kind", "host", "when", "link", "enabled", "next", "state", "ended", "said"), rows)


@agent.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove an agent, and what is remembered of the mail that it fetched."""
    from worldmail.cli.running import run

    run(configuration(ctx), lambda parts: parts.agents.remove_agent(name))
    show_done(as_json, f"removed {name}", removed=name)


@agent.command("run")
@click.argument("name")
@wait_option
@json_option
@click.pass_context
def run_(ctx: click.Context, name: str, wait: float, as_json: bool) -> None:
    """Let the server run an agent now, whatever its timetable says, and wait for what comes of it."""
    from worldmail.cli.running import run

    answer = run(configuration(ctx), lambda parts: parts.agents.run(name, wait))
    if not answer.ok:
        raise click.ClickException(f"{name}: {printable(answer.words)}")
    show_done(as_json, f"{name}: {printable(answer.words)}", name=name, said=answer.words)


@agent.command()
@click.argument("name")
@json_option
@click.pass_context
def test(ctx: click.Context, name: str, as_json: bool) -> None:
    """Go as far as can be gone without changing anything here or there, from here, and tell what was found.

    An agent of kind pop3 or imap tells for each message whom it would go to, and why.
    """
    from twisted.internet import reactor as _  # noqa: F401  # speaking to its server takes a whole reactor

    from worldmail.cli.running import Parts, run
    from worldmail.interfaces.ondemand import Wrong

    async def look(parts: Parts) -> list[str]:
        one = await parts.agents.agent(name)
        async with parts.errands() as errands:
            lines: list[str] = await errands[one.kind].test(one)
            return lines

    found = run(configuration(ctx), look)
    lines, wrong = [printable(line) for line in found], bool(found) and isinstance(found[-1], Wrong)
    if not wrong or as_json:
        show_done(as_json, "\n".join(lines), name=name, found=lines, ok=not wrong)
    elif lines[:-1]:
        click.echo("\n".join(lines[:-1]))
    if wrong and not as_json:
        raise click.ClickException(f"{name}: {lines[-1]}")
    ctx.exit(int(wrong))


def _fields(one: Agent) -> dict[str, Any]:
    """All keys but the password; None for what says nothing of its kind."""
    from worldmail.ondemand.agent_keys import AGENT_KEYS

    made: dict[str, Any] = {"name": one.name, "kind": one.kind.value}
    login = one.values.get("login")
    values = {
        **one.values,
        "when": one.when,
        "link": one.link or None,
        "enabled": one.enabled,
        "user": None if login is None else login.user,
    }
    for row in AGENT_KEYS.values():
        if row.key not in ("kind", "password"):
            fits = row.of is None or one.kind.value in row.of
            made[row.field] = _plain(values.get(row.field)) if fits else None
    return made


def _plain(value: Any) -> Any:
    """As JSON and a table can have it."""
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, float):
        return value if value < 1e12 else "forever"
    if isinstance(value, frozenset):
        return sorted(str(each) for each in value)
    if isinstance(value, tuple):
        return [str(each) for each in value]
    text = getattr(value, "value", value)
    return str(text) or None


def _found(known: Mapping[str, str], as_json: bool) -> dict[str, Any]:
    """What a server found last. Times: epoch seconds in JSON, else those of the machine's clock."""
    state = None
    if "began" in known:
        state = {"yes": "well", "no": "failed"}.get(known.get("ok", "")) if "ended" in known else "running"
    messages, said = known.get("messages", ""), known.get("words")
    if said and state == "running" and not as_json:
        said = f"before: {said}"
    return {
        "state": state,
        "began": _moment(known.get("began"), as_json),
        "ended": _moment(known.get("ended"), as_json),
        "why": known.get("why"),
        "messages": int(messages) if messages.isdecimal() else None,
        "said": said,
        "skipped": known.get("skipped"),
        "failures": int(known.get("failures", "0")),
        "next": _moment(known.get("next"), as_json),
    }


def _moment(text: str | None, as_json: bool) -> int | str | None:
    if text is None or not text.isdecimal():
        return None
    return int(text) if as_json else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(int(text)))
