"""`worldmail search status|rebuild`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields

if TYPE_CHECKING:
    from worldmail.cli.running import Parts


@click.group()
def search() -> None:
    """The search index, which the server fills when it is quiet. What it lacks is read, so no answer depends on it."""


@search.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """How many messages wait to be indexed."""
    from worldmail.cli.running import run

    async def waiting(parts: Parts) -> int:
        try:
            return await parts.derived.search.behind()
        finally:
            await parts.derived.stop()

    show_fields(as_json, {"waiting": run(configuration(ctx), waiting)})


@search.command()
@click.option("--fill", is_flag=True, help="Fill it now, unless a server that runs does it.")
@json_option
@click.pass_context
def rebuild(ctx: click.Context, fill: bool, as_json: bool) -> None:
    """Throw the index and all summaries away; the server makes them anew."""
    from worldmail.cli.running import run

    async def work(parts: Parts) -> int:
        try:
            await parts.derived.shelf.clear()
            return await parts.derived.filler.catch_up() if fill else 0
        finally:
            await parts.derived.stop()

    filled = run(configuration(ctx), work)
    show_done(as_json, f"thrown away; {filled} messages indexed" if fill else "thrown away", indexed=filled)
