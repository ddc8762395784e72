"""`worldmail unclaimed list|show|assign|export|remove`."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, printable, show_done, show_rows
from worldmail.cli.values import read_address

if TYPE_CHECKING:
    from worldmail.cli.running import Parts
    from worldmail.ondemand.unclaimed import Shown, UnclaimedAdmin

T = TypeVar("T")


@click.group()
def unclaimed() -> None:
    """Mail that was fetched from elsewhere, and of which nothing tells whom it is for.

    It lies in the public folder Unclaimed of its domain; who else may see it there: worldmail folder rights.
    """


@unclaimed.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List it, oldest first."""
    found = _work(ctx, lambda admin: admin.messages())
    show_rows(as_json, ("id", "received", "size", "from", "to", "subject"), [_row(one) for one in found])


@unclaimed.command()
@click.argument("id")
@click.pass_context
def show(ctx: click.Context, id: str) -> None:
    """Show the header of one message. What happened to it: worldmail trace ID."""
    header = _work(ctx, lambda admin: admin.header(id))
    for line in header.decode("utf-8", "replace").splitlines():
        click.echo(printable(line.replace("\t", "    ")))


@unclaimed.command()
@click.argument("id")
@click.argument("address")
@json_option
@click.pass_context
def assign(ctx: click.Context, id: str, address: str, as_json: bool) -> None:
    """Give one message to whom ADDRESS leads: an account, an alias, anybody whose mail comes here."""
    to = read_address(address)
    _work(ctx, lambda admin: admin.assign(id, to))
    show_done(as_json, f"{id} is given to {to}", id=id, address=str(to))


@unclaimed.command()
@click.argument("id")
@click.pass_context
def export(ctx: click.Context, id: str) -> None:
    """Write one message to standard output, as it is."""

    async def write(admin: UnclaimedAdmin) -> None:
        async for chunk in admin.content(id):
            sys.stdout.buffer.write(chunk)

    _work(ctx, write)
    sys.stdout.buffer.flush()


@unclaimed.command()
@click.argument("id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def remove(ctx: click.Context, id: str, yes: bool, as_json: bool) -> None:
    """Remove one message for good. Asks first on a terminal."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove {id}?", abort=True)
    _work(ctx, lambda admin: admin.remove(id))
    show_done(as_json, f"removed {id}", removed=id)


def _work(ctx: click.Context, job: Callable[[UnclaimedAdmin], Awaitable[T]]) -> T:
    from worldmail.cli.running import run

    async def work(parts: Parts) -> T:
        async with parts.unclaimed() as admin:
            return await job(admin)

    return run(configuration(ctx), work)


def _row(one: Shown) -> dict[str, Any]:
    message = one.message
    return {
        "id": message.id,
        "domain": message.domain,
        "received": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(message.received)),
        "size": message.size,
        "sender": message.sender,
        "from": one.author[:60],
        "to": one.to[:60],
        "subject": one.subject[:60],
    }
