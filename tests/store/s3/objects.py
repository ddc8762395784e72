"""What the tests of the content store "s3" share: its settings, and asking a bucket directly."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet import reactor

from worldmail.config.fields import Duration
from worldmail.errors import TemporaryFailure
from worldmail.store.s3.contents import ContentObjects
from worldmail.store.s3.credentials import CredentialSource
from worldmail.store.s3.exchange import Ask, Exchange
from worldmail.store.s3.opening import make_exchange, open_bucket
from worldmail.store.s3.settings import S3Settings

KEY_ID, SECRET = "AKIDWORLDMAIL", "a/marked+Secret=thatNobodyTells"
PART = 5 << 20


@frozen(kw_only=True)
class Service:
    """A server that speaks S3, and a bucket in it."""

    url: str
    bucket: str


def credentials_file(directory: Path, key_id: str = KEY_ID, secret: str = SECRET) -> Path:
    """A file of credentials, for its owner alone."""
    file = directory / "s3-credentials"
    file.touch(mode=0o600)
    file.write_text(f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n")
    return file


def settings_for(service: Service, credentials: Path, **others: Any) -> S3Settings:
    """The settings for this bucket."""
    return S3Settings(endpoint=service.url, bucket=service.bucket, credentials=credentials, part_size=PART, **others)


def exchange_of(settings: S3Settings) -> Exchange:
    """Asks the bucket of these settings."""
    return make_exchange(settings, time.time)


def contents_of(settings: S3Settings, directory: Path, owner: str = "we") -> ContentObjects:
    """The content store of these settings."""

    async def named() -> str:
        return owner

    return open_bucket(settings, owner=named, directory=str(directory), now=time.time, reactor=reactor)


def ask_for_bucket(service: Service) -> bool:
    """Make the bucket; False if the server is not ready."""
    made = make_exchange(S3Settings(endpoint=service.url, bucket=service.bucket), time.time)
    made.credentials = CredentialSource(
        file=None, environment={"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    )
    try:
        return made.ask(Ask(method="PUT"), time.monotonic() + 1).status in (200, 409)
    except TemporaryFailure:
        return False


def soon(seconds: Duration = 30.0) -> float:
    """When the time for a test's request is up."""
    return time.monotonic() + seconds
