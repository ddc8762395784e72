"""A new site: its configuration, certificate, first domain and postmaster."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from worldmail.config.fields import Listen
from worldmail.config.sample import render
from worldmail.config.settings import CertificateSettings, DatabaseSettings, ServerSettings, Settings, TlsSettings
from worldmail.errors import AlreadyThere, ConfigurationError
from worldmail.interfaces.directory import IDirectoryAdmin
from worldmail.mail.address import Address

CONFIGURATION = "worldmail.toml"
INITIAL_PASSWORD = "initial-password"
CERTIFICATE, KEY = Path("tls", "certificate.pem"), Path("tls", "key.pem")

PASSWORD_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that looks like something else
PASSWORD_LENGTH = 20  # of 32 characters: 100 bits


@frozen(kw_only=True)
class Plan:
    """What `worldmail init` was asked for. `listen` None and `port_base` 0 leave the protocols' own defaults.

    Args:
        database: where its tables are made.
    """

    directory: Path
    domain: str
    hostname: str
    listen: str | None = None
    port_base: int = 0
    database: DatabaseSettings = field(factory=DatabaseSettings)

    @property
    def file(self) -> Path:
        """The configuration file that will be there."""
        return self.directory / CONFIGURATION


def check_new(plan: Plan) -> None:
    """Refuse to write over a site. Raises `ConfigurationError`."""
    if plan.file.exists() and plan.file.stat().st_size:
        raise ConfigurationError(f"{plan.file} is there already; nothing was changed")


def settings_of(
    plan: Plan, protocol_classes: Mapping[str, type[Any]], store_classes: Mapping[str, type[Any]]
) -> Settings:
    """The configuration to be written; relative paths in it count from the plan's directory."""

    def moved(place: Listen) -> Listen:
        return Listen(plan.listen or place.host, place.port + plan.port_base)

    return Settings(
        server=ServerSettings(hostname=plan.hostname),
        database=plan.database,
        tls=TlsSettings(certificates=(CertificateSettings(certificate=CERTIFICATE, key=KEY),)),
        content_stores={name: kind() for name, kind in store_classes.items()},
        protocols={name: move_listeners(kind(), moved) for name, kind in protocol_classes.items()},
    )


def move_listeners(value: Any, moved: Callable[[Listen], Listen]) -> Any:
    """`value`, a section of settings, with every place to listen in it replaced."""
    if isinstance(value, Listen):
        return moved(value)
    if isinstance(value, tuple):
        return tuple(move_listeners(item, moved) for item in value)
    if attrs.has(type(value)):
        names = [attribute.name for attribute in attrs.fields(type(value))]
        return attrs.evolve(value, **{name: move_listeners(getattr(value, name), moved) for name in names})
    return value


def write_certificate(plan: Plan) -> None:
    """Make the site's certificate and its key, unless there is one."""
    from worldmail.transport.certificates import self_signed

    if not (plan.directory / CERTIFICATE).exists():
        local = ["localhost", "127.0.0.1", "::1"] if _on_loopback(plan.listen) else []
        certificate, key = self_signed(list(dict.fromkeys([plan.hostname, plan.domain, *local])))
        write_private(plan.directory / KEY, key)
        write_private(plan.directory / CERTIFICATE, certificate)


def write_configuration(plan: Plan, settings: Settings) -> None:
    """Write the configuration file: the last step of making a site's files."""
    write_private(plan.file, render(settings).encode())


def make_directory(plan: Plan) -> None:
    """Make the data directory, for its owner alone."""
    plan.directory.mkdir(mode=0o700, parents=True, exist_ok=True)


async def add_first_domain(admin: IDirectoryAdmin, domain: str) -> str:
    """Add the domain and its postmaster; the postmaster's password, to be told once."""
    password, postmaster = new_password(), Address("postmaster", domain)
    with contextlib.suppress(AlreadyThere):  # an earlier try was cut off
        await admin.add_domain(domain)
    try:
        await admin.add_account(postmaster, password, "Postmaster")
    except AlreadyThere:
        await admin.set_password(postmaster, password)
    return password


def keep_password(directory: Path, address: str, password: str) -> Path:
    """Leave the postmaster's password in a file for the owner alone; the file."""
    file = directory / INITIAL_PASSWORD
    write_private(file, f"{address} {password}\n".encode())
    return file


def new_password() -> str:
    """A password to be told once."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_LENGTH))


def write_private(path: Path, data: bytes) -> None:
    """Write a whole file that only its owner may read, in place of what was there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _on_loopback(listen: str | None) -> bool:
    return listen is not None and (listen.startswith("127.") or listen in ("::1", "localhost"))
