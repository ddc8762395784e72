"""`worldmail recipient add|list|load|remove`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_rows
from worldmail.cli.values import read_address
from worldmail.errors import BadValue

if TYPE_CHECKING:
    from worldmail.cli.running import Parts
    from worldmail.interfaces.pairs import Known
    from worldmail.interfaces.queue import Loaded
    from worldmail.mail.address import Address

SHOWN = 20_000
"""A list that is longer is loaded with a word on how far it is."""


@click.group()
def recipient() -> None:
    """Who there is in relay domains. A relay domain without a list of recipients takes mail for everybody."""


@recipient.command()
@click.argument("address", nargs=-1, required=True)
@json_option
@click.pass_context
def add(ctx: click.Context, address: tuple[str, ...], as_json: bool) -> None:
    """Add each ADDRESS to the list of its domain."""
    from worldmail.cli.running import run

    names = [read_address(one) for one in address]
    first = run(configuration(ctx), lambda parts: parts.recipients.add(names))
    sentence = f"added {_few(names)}"
    if first:
        sentence += f"; {', '.join(first)} had no list and took mail for everybody, and refuses all others from now on"
    show_done(as_json, sentence, added=[str(one) for one in names], first_of=first)


@recipient.command()
@click.argument("address", nargs=-1)
@click.option("--all", "domain", metavar="DOMAIN", help="Remove the whole list of DOMAIN, which then takes everybody.")
@json_option
@click.pass_context
def remove(ctx: click.Context, address: tuple[str, ...], domain: str | None, as_json: bool) -> None:
    """Remove each ADDRESS from the list of its domain."""
    if bool(address) == (domain is not None):
        raise click.UsageError("name the addresses, or a whole list with --all DOMAIN")
    from worldmail.cli.running import run

    if domain is not None:
        count = run(configuration(ctx), lambda parts: parts.recipients.clear(domain))
        sentence = f"removed the list of {domain} (it had {count}), which takes mail for everybody now"
        show_done(as_json, sentence, domain=domain, removed=count)
        return
    names = [read_address(one) for one in address]
    run(configuration(ctx), lambda parts: parts.recipients.remove(names))
    show_done(as_json, f"removed {_few(names)}", removed=[str(one) for one in names])


@recipient.command("list")
@click.argument("domain", required=False)
@json_option
@click.pass_context
def list_(ctx: click.Context, domain: str | None, as_json: bool) -> None:
    """List the recipients of DOMAIN; without it, how many each relay domain has."""
    from worldmail.cli.running import run

    if domain is not None:
        found = run(configuration(ctx), lambda parts: parts.recipients.listed(domain))
        bounded = any(one.most is not None or one.room is not None for one in found)
        show_rows(
            as_json, ("address", "most", "room") if bounded else ("address",), [_fields(one, bounded) for one in found]
        )
        return

    async def look(parts: Parts) -> list[dict[str, Any]]:
        files = parts.settings.relay.recipient_files
        rows = await parts.recipients.counts()
        return [{"domain": name, "listed": count, "file": _file(files, name)} for name, count in rows.items()]

    rows = run(configuration(ctx), look)
    if not as_json:
        rows = [{**row, "listed": "no list" if row["listed"] is None else row["listed"]} for row in rows]
    show_rows(as_json, ("domain", "listed", "file"), rows)


@recipient.command()
@click.argument("domain")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default="-")
@click.option("--replace", is_flag=True, help="Remove all recipients that are not in FILE.")
@json_option
@click.pass_context
def load(ctx: click.Context, domain: str, file: str, replace: bool, as_json: bool) -> None:
    """Add the recipients in FILE (else standard input) to the list of DOMAIN: an address or a local part a line.

    Nothing is changed unless every line can be read. Blank lines and those that begin with "#" are passed over, as are
    addresses in other domains. While a list is loaded nobody is refused who was taken before and will be after.
    """
    from worldmail.cli.running import run
    from worldmail.directory.recipient_lines import BadLine, Listing, read_recipients

    with _opened(file) as lines:  # as who runs this: the data's owner may not be able to read it
        content = lines.readlines()

    async def work(parts: Parts) -> tuple[Listing, Loaded]:
        try:
            listing = read_recipients(content, await parts.recipients.names(domain))
        except BadLine as error:
            raise BadValue(f"{'standard input' if file == '-' else file}: {error}; nothing was changed") from None
        progress = _tell if len(listing.names) > SHOWN and sys.stderr.isatty() else _keep_quiet
        return listing, await parts.recipients.load(domain, listing.names, replace, progress)

    listing, loaded = run(configuration(ctx), work)
    noun = "recipient" if loaded.total == 1 else "recipients"
    sentence = f"{domain} has {loaded.total} {noun} now: added {loaded.added}, removed {loaded.removed}"
    if listing.elsewhere:
        sentence += f"; passed over, since about other domains: {listing.elsewhere}"
    show_done(
        as_json,
        sentence,
        domain=domain,
        total=loaded.total,
        added=loaded.added,
        removed=loaded.removed,
        elsewhere=listing.elsewhere,
    )


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with open(file, "rb") as opened:
            yield opened


def _fields(one: Known, bounded: bool) -> dict[str, Any]:
    """The recipient, and what its site told of it if it told of any."""
    from worldmail.mail.address import Address

    bounds = {"most": one.most, "room": one.room} if bounded else {}
    return {"address": str(Address(one.local, one.domain)), **bounds}


def _tell(done: int, count: int) -> None:
    click.echo(f"\r{done} of {count}{'' if done < count else chr(10)}", nl=False, err=True)


def _keep_quiet(done: int, count: int) -> None:
    """Nobody looks, or it takes no time."""


def _few(names: Sequence[Address]) -> str:
    return str(names[0]) if len(names) == 1 else f"{len(names)} recipients"


def _file(files: Any, name: str) -> str | None:
    from worldmail.mail.domain import host_name

    return next((str(path) for domain, path in files.items() if host_name(domain) == name), None)
