"""Reading what stands on the command line, and passwords, which never do."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from worldmail.errors import BadValue
from worldmail.mail.address import Address

OURS = ("database",)
"""The directory's sources, where nothing but our own tables knows which addresses there are."""

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password of the user from the first line of standard input."
)


def read_address(text: str) -> Address:
    """An address with a domain; *@DOMAIN is one too. Raises `BadValue`."""
    try:
        address = Address.parse(text)
    except ValueError as error:
        raise BadValue(f"{text} is not an address: {error}") from None
    if not address.domain:
        raise BadValue(f"{text} has no domain: write it as {text}@DOMAIN")
    return address


def read_settings_words(words: Iterable[str]) -> dict[str, str]:
    """ "key=value" words. Raises `BadValue`."""
    changes = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadValue(f"{word} is not of the form key=value")
        changes[key] = value
    return changes


def read_duration(option: str, text: str, least: int, most: int) -> int:
    """Whole seconds of "7d" and the like. Raises `BadValue`."""
    from worldmail.config.units import duration

    try:
        seconds = int(duration(text))
    except ValueError:
        seconds = -1
    if not least <= seconds <= most:
        raise BadValue(f'{option} takes a time such as "7d", from {least} seconds to {most // 86400} days')
    return seconds


def password_from_standard_input() -> str:
    """Its first line, without the line end. Raises `BadValue` if there is none."""
    password = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not password:
        raise BadValue("there is no password on standard input")
    return password


def ask_password(from_stdin: bool, generate: bool) -> tuple[str, bool]:
    """The password, and whether it was made here and must be told."""
    if from_stdin and generate:
        raise click.UsageError("--password-stdin and --generate exclude each other")
    if generate:
        from worldmail.app.site import new_password

        return new_password(), True
    if from_stdin:
        return password_from_standard_input(), False
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for the password: use --password-stdin or --generate")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True)), False


def changes_with_password(words: tuple[str, ...], password_stdin: bool) -> dict[str, str]:
    """The changes, with the password that goes with a user."""
    changes = read_settings_words(words)
    if changes.get("password"):
        raise click.UsageError("a password on the command line can be seen by all: use --password-stdin")
    if password_stdin:
        changes["password"] = password_from_standard_input()
    elif changes.get("user"):
        if not sys.stdin.isatty():
            raise click.UsageError("no terminal to ask for the password of the user: use --password-stdin")
        changes["password"] = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return changes
