"""`worldmail user add|list|show|remove|passwd|set`."""

from __future__ import annotations

import sys
from typing import Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields, show_keys, show_rows
from worldmail.cli.values import ask_password, password_from_standard_input, read_address, read_settings_words
from worldmail.interfaces.directory import Account

PASSWORD_OPTIONS = (
    click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input."),
    click.option("--generate", is_flag=True, help="Make a password and print it."),
)


def password_options(command: Any) -> Any:
    """Where a password may come from: never the command line, which everybody on the machine can read."""
    for option in PASSWORD_OPTIONS:
        command = option(command)
    return command


@click.group()
def user() -> None:
    """The accounts: who can sign in and has mailboxes."""


@user.command()
@click.argument("address")
@click.option("--name", default="", help="The person's name.")
@password_options
@json_option
@click.pass_context
def add(ctx: click.Context, address: str, name: str, password_stdin: bool, generate: bool, as_json: bool) -> None:
    """Add an account with its mailboxes. Asks for a password on a terminal."""
    from worldmail.cli.running import run

    where, who = configuration(ctx), read_address(address)
    password, tell = ask_password(password_stdin, generate)
    run(where, lambda parts: parts.admin.add_account(who, password, name))
    _tell(as_json, f"added {who}", {"address": str(who), "name": name}, password if tell else None)


@user.command()
@click.argument("address")
@password_options
@json_option
@click.pass_context
def passwd(ctx: click.Context, address: str, password_stdin: bool, generate: bool, as_json: bool) -> None:
    """Change an account's password."""
    from worldmail.cli.running import run

    where, who = configuration(ctx), read_address(address)
    password, tell = ask_password(password_stdin, generate)
    run(where, lambda parts: parts.admin.set_password(who, password))
    _tell(as_json, f"changed the password of {who}", {"address": str(who)}, password if tell else None)


@user.command("list")
@click.argument("domain", required=False)
@json_option
@click.pass_context
def list_(ctx: click.Context, domain: str | None, as_json: bool) -> None:
    """List the accounts of all domains, or of one."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.admin.accounts(domain))
    show_rows(as_json, ("address", "name", "enabled", "quota"), [_fields(one) for one in found])


@user.command()
@click.argument("address")
@json_option
@click.pass_context
def show(ctx: click.Context, address: str, as_json: bool) -> None:
    """Show one account and what its mailboxes hold."""
    from worldmail.cli.running import Parts, run

    who = read_address(address)

    async def look(parts: Parts) -> dict[str, Any]:
        account = await parts.account(who)
        boxes = await parts.mailboxes.mailboxes(account.id)
        held = {box.name: {"messages": box.messages, "octets": box.octets} for box in boxes}
        return {**_fields(account), **account.settings, "mailboxes": held}

    fields = run(configuration(ctx), look)
    if not as_json:
        held = fields.pop("mailboxes")
        for name, box in held.items():
            fields[f"mailbox {name}"] = f"{box['messages']} messages, {box['octets']} octets"
    show_fields(as_json, fields)


@user.command()
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def remove(ctx: click.Context, address: str, yes: bool, as_json: bool) -> None:
    """Remove an account with its mailboxes and all mail in them. Asks first on a terminal."""
    from worldmail.cli.running import run

    where, who = configuration(ctx), read_address(address)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove {who} and all mail in its mailboxes?", abort=True)
    dangling = [str(one) for one in run(where, lambda parts: parts.admin.remove_account(who))]
    sentence = f"removed {who}"
    if dangling:
        sentence += f"\nnow leading nowhere: {', '.join(dangling)}"
    show_done(as_json, sentence, removed=str(who), leading_nowhere=dangling)


@user.command("set")
@click.argument("address", required=False)
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--secret-stdin", is_flag=True, help="With legacy-auth=on: take the secret from standard input.")
@json_option
@click.pass_context
def set_(ctx: click.Context, address: str | None, words: tuple[str, ...], secret_stdin: bool, as_json: bool) -> None:
    """Set keys of an account. Without any, list the keys and what they mean.

    legacy-auth=on makes a secret for CRAM-MD5 and APOP, apart from the password, and prints it once.
    """
    from worldmail.cli.running import Parts, run

    if address is None or not words:
        _list_keys(as_json)
        return
    who, changes = read_address(address), read_settings_words(words)
    given = password_from_standard_input() if secret_stdin else None

    async def change(parts: Parts) -> tuple[Account, str | None]:
        secret = None
        if changes.get(LEGACY) == "on":
            del changes[LEGACY]
            secret = await parts.admin.make_legacy_secret(who, given)
        return await parts.admin.set_account(who, changes), secret

    account, secret = run(configuration(ctx), change)
    fields = {**_fields(account), **account.settings}
    if given is not None:
        secret = None
    if secret is not None:
        fields["legacy_secret"] = secret
    if as_json:
        show_fields(True, fields)
        return
    click.echo(f"set {' '.join(words)} for {who}")
    if secret is not None:
        click.echo(f"secret for CRAM-MD5 and APOP (shown this once): {secret}")


LEGACY = "legacy-auth"


def _list_keys(as_json: bool) -> None:
    from worldmail.directory.account_keys import ACCOUNT_KEYS

    show_keys(as_json, ACCOUNT_KEYS.values())


def _fields(account: Account) -> dict[str, Any]:
    return {
        "address": str(account.address),
        "name": account.name,
        "enabled": account.enabled,
        "quota": account.quota,
        "max_message": account.max_message,
        "legacy_auth": account.legacy_auth,
    }


def _tell(as_json: bool, sentence: str, fields: dict[str, Any], password: str | None) -> None:
    if password is not None:
        fields["password"] = password
        sentence += f"\npassword (shown this once): {password}"
    show_done(as_json, sentence, **fields)
