"""`worldmail check`."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_rows
from worldmail.cli.values import OURS
from worldmail.errors import WorldMailError

if TYPE_CHECKING:
    from worldmail.app.checks import Finding
    from worldmail.config.lines import KeyPath
    from worldmail.config.settings import Settings
    from worldmail.interfaces.database import Cursor

_TAKES_EVERYBODY = (
    "{domain} has no list of recipients, so mail for everybody there is taken, and what its server refuses goes back to"
    " senders who may be forged: worldmail recipient load {domain} FILE"
)

_SHOWN = 5
"""Addresses that one warning names."""


@click.command()
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Read the whole configuration and say what is wrong, by line. The status is 1 if anything is wrong, 0 if
    there are warnings at most. Changes nothing."""
    from worldmail.app.ground import protocol_classes, read_configuration
    from worldmail.errors import ConfigurationError

    file = configuration(ctx)
    try:
        settings = read_configuration(file)
    except ConfigurationError as error:
        _conclude(as_json, [("error", line) for line in str(error).splitlines()], [])
        return
    from worldmail.app.checks import Finding, check_settings
    from worldmail.config.lines import Lines

    found = list(check_settings(settings, dt.datetime.now(dt.UTC)))
    found += _check_store(settings, Finding)
    lines = Lines(file.read_text(encoding="utf-8-sig"))
    told = [("error" if one.serious else "warning", one.located(file, lines)) for one in found]
    _conclude(as_json, told, sorted(protocol_classes()))


def _conclude(as_json: bool, told: list[tuple[str, str]], protocols: list[str]) -> None:
    if as_json:
        show_rows(True, (), [{"severity": severity, "text": text} for severity, text in told])
    else:
        for severity, text in told:
            click.echo(text if severity == "error" else f"warning: {text}")
        if not told:
            click.echo(f"nothing is wrong; protocols: {', '.join(protocols)}")
    if any(severity == "error" for severity, _ in told):
        raise click.exceptions.Exit(1)


def _check_store(settings: Settings, finding: type[Finding]) -> list[Finding]:
    """The database has the schema of this release, fits the server key, and each domain has its postmaster."""
    from worldmail.auth.server_key import FILE_NAME, is_bound, read_server_key
    from worldmail.database.opening import look_at

    embedded = settings.database.engine == "sqlite"
    name = "the PostgreSQL database"
    key: KeyPath = ("database", "url")
    if embedded:
        file = Path(settings.data, settings.database.file)
        name, key = str(file), ()
        if not file.exists():
            return [finding(text=f"{file}: there is no database yet; the first start makes it", serious=False)]
        if not os.access(file, os.R_OK | os.W_OK):
            return [finding(text=f"{file}: cannot be read and written by who runs this")]
    try:
        with look_at(settings.database, str(settings.data)) as look:
            if look.schema < look.newest:
                text = _older(name, look.schema, look.newest, "after a backup" if embedded else "make a backup before")
                return [finding(text=text, key=key, serious=False)]
            is_bound(look.cursor, read_server_key(settings.data / FILE_NAME))
            return [
                *_check_directory(look.cursor, finding),
                *_check_aliases(look.cursor, settings, finding),
                *_check_relay(look.cursor, settings, finding),
                *_check_contents(look.cursor, settings, finding),
                *_check_links(look.cursor, finding),
            ]
    except (WorldMailError, OSError) as error:
        return [finding(text=str(error), key=key)]


def _older(database: str, schema: int, newest: int, backup: str) -> str:
    if not schema:
        return f"{database}: the database is empty; the next start makes its tables"
    return f"{database} has schema {schema}, this program knows {newest}: the next start migrates it, {backup}"


def _check_directory(cursor: Cursor, finding: type[Finding]) -> list[Finding]:
    """RFC 5321 §4.5.1."""
    from worldmail.directory.aliases import list_aliases
    from worldmail.directory.domains import list_domains
    from worldmail.directory.rows import all_accounts

    domains = [domain for domain in list_domains(cursor) if domain.alias_of is None]
    if not domains:
        return [finding(text="there is no domain yet: worldmail domain add NAME", serious=False)]
    domains = [domain for domain in domains if domain.kind == "local"]
    known = {account.address.key for account in all_accounts(cursor, None)}
    known |= {address.key for address, _ in list_aliases(cursor, None)}
    return [
        finding(text=f"{domain.name} has no postmaster (RFC 5321 §4.5.1): worldmail user add postmaster@{domain.name}")
        for domain in domains
        if not known & {f"postmaster@{domain.name}", f"*@{domain.name}"}
    ]


def _check_contents(cursor: Cursor, settings: Settings, finding: type[Finding]) -> list[Finding]:
    """Servers on one database read the same content store, those at work and those that died at it."""
    from worldmail.app.ground import contents_mark
    from worldmail.queue.apart import TEXT, mark_of

    if settings.database.engine != "postgres" or settings.store.content != "files":
        return []
    marks = {mark_of(node): node for (node,) in cursor.all("SELECT node FROM runner")}
    others = {mark: node.partition(" ")[0] for mark, node in marks.items() if mark}
    others.pop(contents_mark(settings, make=False), None)
    if not others:
        return []
    return [finding(text=f"{TEXT} ({', '.join(sorted(others.values()))})", key=("store", "content"))]


def _check_relay(cursor: Cursor, settings: Settings, finding: type[Finding]) -> list[Finding]:
    """Relay domains that take everybody, and files for domains that are none."""
    from worldmail.directory.recipients import counts
    from worldmail.mail.domain import host_name

    listed = counts(cursor)
    files = {host_name(name): name for name in settings.relay.recipient_files}
    strangers = [
        finding(
            text=f"{name} is no relay domain (by its own name): its file of recipients is never read",
            key=("relay", "recipient_files", name),
            serious=False,
        )
        for domain, name in files.items()
        if domain not in listed
    ]
    if set(settings.relay.sources) - {"files"}:
        return strangers  # what others know cannot be told from here
    told = _told_by_sites(cursor)
    return strangers + [
        finding(text=told.get(name) or _TAKES_EVERYBODY.format(domain=name), serious=False)
        for name, count in listed.items()
        if count is None and name not in files
    ]


def _told_by_sites(cursor: Cursor) -> dict[str, str]:
    """What is to be said of each domain whose list is a site's to tell."""
    from worldmail.ondemand.relay_checks import sites_to_tell
    from worldmail.queue.hold_admin import HOLDS
    from worldmail.queue.hold_keys import hold_of

    words = sites_to_tell(cursor, time.time())
    holds = [hold_of(entry.name, entry.texts, "") for entry in HOLDS.all(cursor) if entry.name in words]
    return {
        domain: f"{domain} has no list of recipients: {words[hold.name].format(domain=domain)}"
        for hold in holds
        for domain in hold.domains
    }


def _check_links(cursor: Cursor, finding: type[Finding]) -> list[Finding]:
    """They are for routes that there are, and their programs can be run."""
    from worldmail.ondemand.link_checks import faults_of_links
    from worldmail.queue.route_rows import all_rows

    routes = {row.name for row in all_rows(cursor)}
    return [finding(text=text, serious=False) for text in faults_of_links(cursor, routes)]


def _check_aliases(cursor: Cursor, settings: Settings, finding: type[Finding]) -> list[Finding]:
    """Each leads somewhere."""
    from worldmail.directory.aliases import list_aliases
    from worldmail.directory.source import dead_ends

    section = settings.directory
    if section.sources != OURS:
        return []
    found = []
    for address, targets in list_aliases(cursor, None):
        missing = dead_ends(cursor, address, targets, section.recipient_delimiter)
        if missing:
            shown = ", ".join(str(each) for each in missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
            found.append(finding(text=f"the alias {address} leads to what does not exist: {shown}", serious=False))
    return found
