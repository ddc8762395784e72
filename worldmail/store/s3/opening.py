"""From the section [s3] to a content store."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.interfaces import IReactorCore

from worldmail.errors import ConfigurationError
from worldmail.interfaces.plugin import Foundations
from worldmail.store.s3.bucket import Bucket
from worldmail.store.s3.connection import Connections, Endpoint
from worldmail.store.s3.contents import ContentObjects
from worldmail.store.s3.credentials import CredentialSource
from worldmail.store.s3.exchange import Exchange
from worldmail.store.s3.owner import owner_of
from worldmail.store.s3.settings import S3Settings


def content_objects(foundations: Foundations) -> ContentObjects:
    """The content store "s3". Raises `ConfigurationError` if the section [s3] cannot be."""
    settings: S3Settings = foundations.settings.content_stores["s3"]
    database = foundations.database
    return open_bucket(
        settings,
        owner=lambda: database.write(owner_of),
        directory=str(foundations.data),
        now=foundations.clock.now,
        reactor=foundations.reactor,
    )


def open_bucket(
    settings: S3Settings,
    *,
    owner: Callable[[], Awaitable[str]],
    directory: str,
    now: Callable[[], float],
    reactor: Any,
) -> ContentObjects:
    """The content store of these settings.

    Args:
        owner: what the site calls itself.
        directory: where parts are spooled.
        now: wall-clock time, epoch seconds; called in threads.

    Raises: `ConfigurationError`.
    """
    exchange = make_exchange(settings, now)
    contents = ContentObjects(
        Bucket(exchange=exchange),
        prefix=settings.prefix,
        owner=owner,
        directory=directory,
        part_size=settings.part_size,
        patience=settings.patience,
        threads=settings.connections,
        reactor=reactor,
    )
    if IReactorCore.providedBy(reactor):
        # A thread that waits for a silent peer would hold up the end of the process.
        reactor.addSystemEventTrigger("after", "shutdown", contents.stop)
    return contents


def make_exchange(settings: S3Settings, now: Callable[[], float]) -> Exchange:
    """What asks the bucket. Raises `ConfigurationError`."""
    if not settings.bucket:
        raise ConfigurationError(
            '[s3] bucket: is missing, expected the name of a bucket, as [store] has content = "s3"'
        )
    endpoint, authority = _endpoint(settings)
    in_path = settings.addressing == "path"
    if not in_path:
        authority = f"{settings.bucket}.{authority}"
        endpoint = Endpoint(host=f"{settings.bucket}.{endpoint.host}", port=endpoint.port, encrypted=endpoint.encrypted)
    return Exchange(
        connections=Connections(endpoint, settings.timeout, settings.ca_file),
        credentials=CredentialSource(file=settings.credentials),
        host=authority,
        root=f"/{settings.bucket}/" if in_path else "/",
        where=f"bucket {settings.bucket} at {settings.endpoint or authority}",
        region=settings.region,
        now=now,
    )


def _endpoint(settings: S3Settings) -> tuple[Endpoint, str]:
    """The endpoint, and the value of its Host header: the port is in it unless it is the scheme's own."""
    url = urlsplit(settings.endpoint or f"https://s3.{settings.region}.amazonaws.com")
    encrypted = url.scheme == "https"
    host = url.hostname or ""
    if not encrypted and not (settings.cleartext or _is_loopback(host)):
        raise ConfigurationError(f"[s3] endpoint: {settings.endpoint}: expected https://, or cleartext = true")
    standard = 443 if encrypted else 80
    try:
        port = standard if url.port is None else url.port
    except ValueError:
        raise ConfigurationError(f"[s3] endpoint: {settings.endpoint} has no port that can be") from None
    name = f"[{host}]" if ":" in host else host
    return Endpoint(host=host, port=port, encrypted=encrypted), name if port == standard else f"{name}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
