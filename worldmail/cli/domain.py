"""`worldmail domain add|list|remove`."""

from __future__ import annotations

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_rows


@click.group()
def domain() -> None:
    """The domains that this server receives mail for."""


@domain.command()
@click.argument("name")
@click.option("--alias-of", metavar="DOMAIN", help="NAME is another name of this domain of ours.")
@json_option
@click.pass_context
def add(ctx: click.Context, name: str, alias_of: str | None, as_json: bool) -> None:
    """Add a domain. It has no account yet, not even postmaster."""
    from worldmail.cli.running import run

    made = run(configuration(ctx), lambda parts: parts.admin.add_domain(name, alias_of=alias_of))
    show_done(as_json, f"added {made.name}", name=made.name, kind=made.kind, alias_of=made.alias_of)


@domain.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List all domains."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.admin.domains())
    rows = [{"name": one.name, "kind": one.kind, "alias_of": one.alias_of} for one in found]
    show_rows(as_json, ("name", "kind", "alias_of"), rows)


@domain.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a domain that holds no account; its aliases go with it."""
    from worldmail.cli.running import run

    run(configuration(ctx), lambda parts: parts.admin.remove_domain(name))
    show_done(as_json, f"removed {name}", removed=name)
