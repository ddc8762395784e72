"""The start without a configuration: a site for this machine alone, to try things with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from worldmail.app import site
from worldmail.app.ground import protocol_classes, server_key, store_classes
from worldmail.app.privileges import hand_over, identity
from worldmail.config.reader import parse_settings
from worldmail.config.sample import render
from worldmail.config.settings import Settings
from worldmail.interfaces.directory import IDirectoryAdmin
from worldmail.interfaces.world import IJournal

DOMAIN = "localhost"
ADDRESS = "127.0.0.1"
PORT_BASE = 2000


def make_default_site(directory: Path, owner: tuple[int | None, int | None]) -> Settings:
    """Make the configuration and the certificate for domain localhost, on the loopback.

    Args:
        owner: the user and group that twistd will drop to; the files are theirs then.
    """
    plan = site.Plan(directory=directory, domain=DOMAIN, hostname=DOMAIN, listen=ADDRESS, port_base=PORT_BASE)
    protocols, stores = protocol_classes(), store_classes()
    settings = site.settings_of(plan, protocols, stores)
    site.make_directory(plan)
    site.write_certificate(plan)
    site.write_configuration(plan, settings)
    made = parse_settings(render(settings), protocols, plan.file, stores)
    server_key(made)
    uid, gid = owner
    if os.geteuid() == 0 and uid is not None:
        hand_over(directory, identity(f"{uid}" if gid is None else f"{uid}:{gid}"))
    return made


async def furnish_default_site(admin: IDirectoryAdmin, directory: Path, journal: IJournal) -> None:
    """Add the domain and its postmaster, if there is no domain yet; tell the password once."""
    if await admin.domains():
        return
    password = await site.add_first_domain(admin, DOMAIN)
    address = f"postmaster@{DOMAIN}"
    journal.record("site.made", level="warn", directory=str(directory), domain=DOMAIN, account=address)
    terminal = sys.__stderr__
    if terminal is not None and terminal.isatty():
        print(f"{address} has the password {password} (shown this once)", file=terminal, flush=True)
    else:
        file = site.keep_password(directory, address, password)
        journal.record("site.password", level="warn", account=address, file=str(file))
