"""`worldmail alias add|list|remove`."""

from __future__ import annotations

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_rows
from worldmail.cli.values import OURS, read_address


@click.group()
def alias() -> None:
    """Addresses that lead to other addresses; *@DOMAIN is the domain's catch-all."""


@alias.command()
@click.argument("address")
@click.argument("target", nargs=-1, required=True)
@json_option
@click.pass_context
def add(ctx: click.Context, address: str, target: tuple[str, ...], as_json: bool) -> None:
    """Make ADDRESS lead to each TARGET (and to nothing else: an alias that is there is replaced).

    A target may be made later. It is said which of those that are ours are not there.
    """
    from worldmail.cli.running import Parts, run

    name, targets = read_address(address), tuple(read_address(one) for one in target)

    async def work(parts: Parts) -> list[str]:
        await parts.admin.set_alias(name, targets)
        section = parts.settings.directory
        if section.sources != OURS:
            return []
        return [str(one) for one in await parts.admin.dead_ends(name, targets, section.recipient_delimiter)]

    missing = run(configuration(ctx), work)
    shown = [str(one) for one in targets]
    show_done(as_json, f"{name} leads to {', '.join(shown)}", address=str(name), targets=shown, missing=missing)
    if missing and not as_json:
        click.echo(f"warning: mail to it is not delivered to what does not exist: {', '.join(missing)}", err=True)


@alias.command("list")
@click.argument("domain", required=False)
@json_option
@click.pass_context
def list_(ctx: click.Context, domain: str | None, as_json: bool) -> None:
    """List the aliases of all domains, or of one."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.admin.aliases(domain))
    rows = [{"address": str(one), "targets": [str(each) for each in targets]} for one, targets in found]
    show_rows(as_json, ("address", "targets"), rows)


@alias.command()
@click.argument("address")
@json_option
@click.pass_context
def remove(ctx: click.Context, address: str, as_json: bool) -> None:
    """Remove an alias."""
    from worldmail.cli.running import run

    name = read_address(address)
    run(configuration(ctx), lambda parts: parts.admin.remove_alias(name))
    show_done(as_json, f"removed {name}", removed=str(name))
