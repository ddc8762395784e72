"""`worldmail init`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worldmail.cli.output import json_option, show_done
from worldmail.errors import BadValue

if TYPE_CHECKING:
    from worldmail.config.settings import DatabaseSettings


@click.command()
@click.argument("directory", type=click.Path(file_okay=False))
@click.option("--domain", required=True, help="The first domain to receive mail for.")
@click.option("--hostname", help="The server's own name (default: the domain's).")
@click.option("--listen", metavar="ADDRESS", help="Listen at this address alone (default: at all).")
@click.option(
    "--port-base",
    type=click.IntRange(0, 60_000),
    default=0,
    help="Add this to every standard port: 2000 makes SMTP 2025, POP3 2110.",
)
@click.option("--database", metavar="URL", help="Keep accounts and mail in this PostgreSQL database, to be shared.")
@click.option(
    "--database-password-file", type=click.Path(dir_okay=False, exists=True), help="The password of its user."
)
@json_option
def init(
    directory: str,
    domain: str,
    hostname: str | None,
    listen: str | None,
    port_base: int,
    database: str | None,
    database_password_file: str | None,
    as_json: bool,
) -> None:
    """Make a new site in DIRECTORY: configuration, store, a self-signed certificate and postmaster@DOMAIN."""
    from worldmail.app import site
    from worldmail.app.ground import protocol_classes, store_classes
    from worldmail.cli.running import run_with
    from worldmail.config.reader import parse_settings
    from worldmail.config.sample import render

    plan = site.Plan(
        directory=Path(directory).absolute(),
        domain=_domain(domain),
        hostname=_domain(hostname or domain),
        listen=_address(listen),
        port_base=port_base,
        database=_database(database, database_password_file),
    )
    site.check_new(plan)
    site.make_directory(plan)
    site.write_certificate(plan)
    protocols, stores = protocol_classes(), store_classes()
    settings = site.settings_of(plan, protocols, stores)
    read_back = parse_settings(render(settings), protocols, plan.file, stores)
    password = run_with(read_back, lambda parts: site.add_first_domain(parts.admin, plan.domain))
    site.write_configuration(plan, settings)
    _tell(as_json, plan.file, f"postmaster@{plan.domain}", password)


def _tell(as_json: bool, file: Path, address: str, password: str) -> None:
    from worldmail.app.site import keep_password

    sentence = f"made {file}"
    facts = {"config": str(file), "account": address}
    if sys.stdout.isatty():
        sentence += f"\n{address} has the password {password} (shown this once)"
        facts["password"] = password
    else:
        kept = keep_password(file.parent, address, password)
        sentence += f"\nthe password of {address} is in {kept}"
        facts["password_file"] = str(kept)
    show_done(as_json, f"{sentence}\nstart it: twistd -n --pidfile= worldmail --config {file}", **facts)


def _database(url: str | None, password_file: str | None) -> DatabaseSettings:
    from worldmail.config.settings import DatabaseSettings

    if url is None:
        if password_file is not None:
            raise BadValue("--database-password-file goes with --database")
        return DatabaseSettings()
    file = None if password_file is None else Path(password_file).absolute()
    return DatabaseSettings(engine="postgres", url=url, password_file=file)


def _domain(text: str) -> str:
    from worldmail.mail.domain import host_name

    try:
        return host_name(text)
    except ValueError as error:
        raise BadValue(f"{text} is no domain name: {error}") from None


def _address(text: str | None) -> str | None:
    import ipaddress

    if text is None or text == "*":
        return text
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise BadValue(f"--listen takes an IP address or *, not {text}") from None
