"""The settings of the content store "s3"."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from worldmail.config.fields import Duration, Octets, Place, duration, octets, setting

_ENDPOINT = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?/?")
_BUCKET = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])?")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_PREFIX = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?)?")


def _endpoint(value: str) -> None:
    if value and _ENDPOINT.fullmatch(value) is None:
        raise ValueError('a URL without a path, such as "https://s3.example.test" or "http://127.0.0.1:8333"')


def _bucket(value: str) -> None:
    if _BUCKET.fullmatch(value) is None:
        raise ValueError("a bucket's name")


def _region(value: str) -> None:
    if _REGION.fullmatch(value) is None:
        raise ValueError('a region such as "us-east-1"')


def _prefix(value: str) -> None:
    if len(value) > 512 or _PREFIX.fullmatch(value) is None:
        raise ValueError('letters, digits and "_.-", "/" between levels, such as "worldmail/"')


@frozen(kw_only=True)
class S3Settings:
    """Large messages as objects in an S3 bucket; read if [store] has content = "s3"."""

    endpoint: str = setting(
        "",
        """The URL of the service. Left empty, Amazon's for the region. With http:// nothing is encrypted, see
        cleartext.""",
        check=_endpoint,
        example="https://s3.example.test",
    )
    cleartext: bool = setting(
        False,
        """Let the endpoint be an http:// URL on another machine: whoever is on the way reads the mail. On the
        loopback it may always be.""",
    )
    bucket: str = setting("", "The bucket. It must be there; it is not made.", check=_bucket, example="mail")
    region: str = setting("us-east-1", "The region that signatures are made for.", check=_region)
    addressing: Literal["path", "virtual-host"] = setting(
        "path",
        """Where the bucket is named: in the path of the URL, or as the first label of the host name (not for
        a bucket with dots in its name, which no certificate covers).""",
    )
    prefix: str = setting(
        "", "What the key of every object begins with, for a bucket that holds other things too.", check=_prefix
    )
    credentials: Place | None = setting(
        None,
        """A file with the access key, in the form of Amazon's tools: [default], aws_access_key_id,
        aws_secret_access_key and, if there is one, aws_session_token. Readable by the server's user alone; a changed
        file is read again by itself. Left empty, the environment variables AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.""",
    )
    ca_file: Place | None = setting(
        None, "Certificates (PEM) that the endpoint's is verified by. Left empty, those that the system trusts."
    )
    timeout: Duration = setting(
        duration("10s"),
        "How long to wait for a connection, and for the next octets on one, before another try.",
        minimum=0.05,
        maximum=300,
    )
    patience: Duration = setting(
        duration("60s"),
        """How long one piece of work may take with all its tries, and wait for its turn, before it fails
        temporarily. Below the 10 minutes that a client gives us at the end of its data (RFC 5321 §4.5.3.2.6).""",
        minimum=0.1,
        maximum=540,
    )
    connections: int = setting(
        16, "The most requests at the same time; each has a thread and a connection.", minimum=1, maximum=256
    )
    part_size: Octets = setting(
        octets("8MiB"),
        """Larger messages are sent in parts of this size, while they arrive; smaller ones in one request. S3 takes
        10000 parts at most.""",
        minimum=5 << 20,
        maximum=1 << 30,
    )
