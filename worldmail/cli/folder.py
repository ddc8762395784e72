"""`worldmail folder list|add|remove|rights`."""

from __future__ import annotations

import sys
from typing import Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_rows
from worldmail.cli.values import read_settings_words
from worldmail.interfaces.folders import ANYONE, Folder

EVERYBODY_READS = "lrs"


@click.group()
def folder() -> None:
    """Folders: the public ones of a domain, and those of an account. OWNER is a domain or an account's address."""


@folder.command("list")
@click.argument("owner")
@json_option
@click.pass_context
def list_(ctx: click.Context, owner: str, as_json: bool) -> None:
    """List the folders of OWNER and what they hold."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.folders.list(owner))
    columns = ("name", "messages", "octets", "special_use", "shared")
    show_rows(as_json, columns, [_fields(one) for one in found if one.exists and one.rights])


@folder.command()
@click.argument("owner")
@click.argument("name")
@click.option("--rights", "letters", metavar="LETTERS", help=f"What anyone may do; {EVERYBODY_READS} if not given.")
@json_option
@click.pass_context
def add(ctx: click.Context, owner: str, name: str, letters: str | None, as_json: bool) -> None:
    """Make the folder NAME of OWNER, with the levels above it.

    Anyone of its domain may read a public folder, unless --rights says otherwise ("" for nobody); nobody but the owner
    one of an account, unless --rights gives some.
    """
    from worldmail.cli.running import run

    if letters is None and "@" not in owner:
        letters = EVERYBODY_READS
    rights = {ANYONE: letters} if letters else {}
    made = run(configuration(ctx), lambda parts: parts.folders.add(owner, name, rights))
    show_done(as_json, f"added {made.name} of {owner}", owner=owner, name=made.name, rights=rights)


@folder.command()
@click.argument("owner")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def remove(ctx: click.Context, owner: str, name: str, yes: bool, as_json: bool) -> None:
    """Remove the folder NAME of OWNER and all mail in it; folders below it stay. Asks first on a terminal."""
    from worldmail.cli.running import run

    where = configuration(ctx)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove {name} of {owner} and all mail in it?", abort=True)
    run(where, lambda parts: parts.folders.remove(owner, name))
    show_done(as_json, f"removed {name} of {owner}", owner=owner, removed=name)


@folder.command()
@click.argument("owner")
@click.argument("name")
@click.argument("words", metavar="[WHO=RIGHTS]...", nargs=-1)
@json_option
@click.pass_context
def rights(ctx: click.Context, owner: str, name: str, words: tuple[str, ...], as_json: bool) -> None:
    """Show who has which rights on a folder, or change them first.

    WHO is an address or "anyone", RIGHTS the letters of RFC 4314 (none take all away): l sees it in lists, r reads,
    s keeps what was read, w sets flags, i puts messages in, p posts to it, k makes folders below, x removes or renames
    it, t deletes messages, e expunges, a gives rights. A "-" before WHO takes away what anyone or others are given.
    """
    from worldmail.cli.running import Parts, run

    changes = read_settings_words(words)

    async def change(parts: Parts) -> dict[str, str]:
        await parts.folders.set_rights(owner, name, changes)
        return dict(await parts.folders.rights(owner, name))

    found = run(configuration(ctx), change)
    show_rows(as_json, ("who", "rights"), [{"who": who, "rights": letters} for who, letters in found.items()])


def _fields(one: Folder) -> dict[str, Any]:
    return {
        "name": one.name,
        "messages": one.messages,
        "octets": one.octets,
        "special_use": one.special_use,
        "shared": one.shared,
    }
