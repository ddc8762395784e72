"""What `worldmail check` looks for beside the form of the configuration: each check is a function of the settings."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

from worldmail.app import privileges
from worldmail.config.lines import KeyPath, Lines
from worldmail.config.listeners import listeners
from worldmail.config.settings import CertificateSettings, Settings
from worldmail.directory.recipient_files import BEING_WRITTEN, look_at
from worldmail.errors import ConfigurationError
from worldmail.interfaces.plugin import (
    IContentStorePlugin,
    IDirectorySourcePlugin,
    IPolicyCheckPlugin,
    IRecipientSourcePlugin,
)
from worldmail.mail.domain import host_name
from worldmail.plugin import find
from worldmail.transport.certificates import read_certificate
from worldmail.transport.tls import Tls

EXPIRY_WARNING = dt.timedelta(days=14)
UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
CAP_NET_BIND_SERVICE = 10


@frozen(kw_only=True)
class Finding:
    """Something that is wrong, or may be.

    Args:
        text: one sentence.
        key: the setting that it is about, () for none.
        serious: False for what works, but is hardly meant.
    """

    text: str
    key: KeyPath = ()
    serious: bool = True

    def located(self, file: Path, lines: Lines) -> str:
        """The sentence with the file and line of the setting in front."""
        return f"{file}:{lines.of(self.key)}: {self.text}" if self.key else self.text


def check_settings(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    """Everything that can be told without opening the store."""
    yield from check_user(settings)
    yield from check_data(settings)
    yield from check_password_file(settings)
    yield from check_plugins(settings)
    yield from check_names(settings)
    yield from check_relay(settings)
    yield from check_ports(settings)
    yield from check_tls(settings, now)
    yield from check_log(settings)


def check_user(settings: Settings) -> Iterator[Finding]:
    """Who the server would run as."""
    if settings.server.run_as:
        try:
            privileges.identity(settings.server.run_as)
        except ConfigurationError as error:
            yield Finding(text=str(error), key=("server", "run_as"))
    elif os.geteuid() == 0 and not _owned_by_another(settings.data):
        yield Finding(text=privileges.ROOT_WARNING, key=("server", "run_as"), serious=False)


def check_data(settings: Settings) -> Iterator[Finding]:
    """The data directory: there, private, and all of one owner."""
    data = settings.data
    try:
        about = data.stat()
    except OSError as error:
        yield Finding(text=f"{data}: the data directory: {error.strerror}", key=("server", "data"))
        return
    if not stat.S_ISDIR(about.st_mode):
        yield Finding(text=f"{data}: the data directory: this is none", key=("server", "data"))
        return
    if about.st_mode & 0o077:
        mode = stat.S_IMODE(about.st_mode)
        text = f"{data}: others may look into the data directory (mode {mode:04o}, expected 0700)"
        yield Finding(text=text, key=("server", "data"))
    yield from _strangers(data, _expected_owner(settings, about.st_uid))
    free = shutil.disk_usage(data).free
    if free < settings.store.minimum_free:
        text = f"{data}: {free // 2**20} MiB are free, less than minimum_free: new mail is refused"
        yield Finding(text=text, key=("store", "minimum_free"))


def check_password_file(settings: Settings) -> Iterator[Finding]:
    """The password of the database is for the server's user alone."""
    file = settings.database.password_file
    if settings.database.engine != "postgres" or file is None or not file.exists():
        return  # opening the database says more of it
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o037:
        text = f"{file}: others may read the password of the database (mode {mode:04o}, expected 0600)"
        yield Finding(text=text, key=("database", "password_file"))


def check_plugins(settings: Settings) -> Iterator[Finding]:
    """What the configuration names is installed."""
    stores = {plugin.name for plugin in find(IContentStorePlugin)}
    if settings.store.content not in stores:
        text = f"no content store {settings.store.content!r} is installed; there are: {', '.join(sorted(stores))}"
        yield Finding(text=text, key=("store", "content"))
    yield from check_contents(settings)
    sources = {plugin.name for plugin in find(IDirectorySourcePlugin)}
    for number, name in enumerate(settings.directory.sources):
        if name not in sources:
            text = f"no directory source {name!r} is installed; there are: {', '.join(sorted(sources))}"
            yield Finding(text=text, key=("directory", "sources", number))
    yield from check_policy(settings)


def check_relay(settings: Settings) -> Iterator[Finding]:
    """The sources of recipients are installed, and their files can be used."""
    known = {plugin.name for plugin in find(IRecipientSourcePlugin)}
    for number, name in enumerate(settings.relay.sources):
        if name not in known:
            text = f"no source of recipients {name!r} is installed; there are: {', '.join(sorted(known))}"
            yield Finding(text=text, key=("relay", "sources", number))
    for domain, path in settings.relay.recipient_files.items():
        key = ("relay", "recipient_files", domain)
        if "files" not in settings.relay.sources:
            yield Finding(text='"files" is not among the sources: nobody reads this', key=key, serious=False)
        seen = look_at(path, host_name(domain), None, time.time)
        if seen is not None and seen.names is None and seen.trouble != BEING_WRITTEN:
            yield Finding(text=f"{path}: the recipients of {domain}: {seen.trouble}", key=key)


def check_policy(settings: Settings) -> Iterator[Finding]:
    """The checks that [policy] names are installed."""
    known = {plugin.name for plugin in find(IPolicyCheckPlugin)}
    for setting in ("order", "disabled"):
        for number, name in enumerate(getattr(settings.policy, setting)):
            if name not in known:
                text = f"no policy check {name!r} is installed; there are: {', '.join(sorted(known))}"
                yield Finding(text=text, key=("policy", setting, number))


def check_contents(settings: Settings) -> Iterator[Finding]:
    """What the content store has to say about where it is led."""
    for plugin in find(IContentStorePlugin):
        if plugin.name == settings.store.content:
            for text in plugin.check(settings):
                yield Finding(text=text, key=(plugin.name,) if plugin.settings() else ("store", "content"))


def check_names(settings: Settings) -> Iterator[Finding]:
    """The name in greetings is one that others can look up (RFC 5321 §2.3.5)."""
    name = settings.server.hostname or socket.getfqdn()
    if "." not in name and name != "localhost":
        text = f"the server would call itself {name}, which is not a fully qualified name"
        yield Finding(text=text, key=("server", "hostname"), serious=False)


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Whether who runs this could bind the ports."""
    first = _first_unprivileged_port()
    if os.geteuid() == 0 or _may_bind_low_ports():
        return
    for section in settings.protocols:
        for path, place in listeners(settings.protocols[section], (section,)):
            if 0 < place.port < first:
                text = f"port {place.port} needs root (with run_as) or CAP_NET_BIND_SERVICE"
                yield Finding(text=text, key=path, serious=False)


def check_tls(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    """The certificates, and ciphers that OpenSSL knows."""
    told = set()
    for number, pair in enumerate(settings.tls.certificates):
        for finding in check_certificate(pair, ("tls", "certificates", number), now):
            told.add(finding.text)
            yield finding
    try:
        Tls(settings.tls)
    except ConfigurationError as error:
        if str(error) not in told:
            yield Finding(text=str(error), key=("tls", "ciphers"))


def check_log(settings: Settings) -> Iterator[Finding]:
    """The log's directory is there."""
    file = settings.log.file
    if file is not None and not file.parent.is_dir():
        yield Finding(text=f"{file}: the log cannot be written, its directory is not there", key=("log", "file"))


def check_certificate(pair: CertificateSettings, key: KeyPath, now: dt.datetime) -> Iterator[Finding]:
    """A certificate can be read, belongs to its key, is valid now and for a while; the key is private."""
    try:
        leaf = read_certificate(pair.certificate, pair.key).leaf
    except ConfigurationError as error:
        yield Finding(text=str(error), key=key)
        return
    place = (*key, "certificate")
    if leaf.not_valid_after_utc <= now:
        yield Finding(text=f"{pair.certificate}: expired on {leaf.not_valid_after_utc:%Y-%m-%d}", key=place)
    elif leaf.not_valid_before_utc > now:
        yield Finding(text=f"{pair.certificate}: is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}", key=place)
    elif leaf.not_valid_after_utc - now < EXPIRY_WARNING:
        text = f"{pair.certificate}: expires on {leaf.not_valid_after_utc:%Y-%m-%d}"
        yield Finding(text=text, key=place, serious=False)
    mode = stat.S_IMODE(pair.key.stat().st_mode)
    if mode & 0o037:
        text = f"{pair.key}: others may read the private key (mode {mode:04o}, expected 0600)"
        yield Finding(text=text, key=(*key, "key"))


def _expected_owner(settings: Settings, owner: int) -> int:
    if not settings.server.run_as:
        return owner
    try:
        return privileges.identity(settings.server.run_as).uid
    except ConfigurationError:
        return owner


def _strangers(data: Path, owner: int) -> Iterator[Finding]:
    """Files that the server's user could not write. A directory of root's own is handed over at the start."""
    if data.stat().st_uid == 0 and owner != 0:
        return
    for path in _entries(data):
        try:
            about = path.lstat()
        except OSError:
            continue  # gone meanwhile
        if about.st_uid != owner:
            text = f"{path}: belongs to user {about.st_uid}, the server runs as {owner}"
            yield Finding(text=text, key=("server", "data"))


def _entries(data: Path) -> Iterable[Path]:
    yield data
    yield from data.iterdir()


def _owned_by_another(data: Path) -> bool:
    try:
        return data.stat().st_uid != 0
    except OSError:
        return False


def _first_unprivileged_port() -> int:
    try:
        return int(UNPRIVILEGED_PORTS.read_text())
    except (OSError, ValueError):
        return 1024


def _may_bind_low_ports() -> bool:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return False
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> CAP_NET_BIND_SERVICE & 1)
