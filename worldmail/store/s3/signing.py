"""Signature Version 4: a request's signature over its method, path, query, headers and body.

The four steps have the names of Amazon's "Signature Version 4 signing process": canonical request, string to sign,
signing key, signature. For S3 each octet of the path is encoded once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote

from attrs import frozen

from worldmail.store.s3.credentials import Credentials

Query: TypeAlias = Sequence[tuple[str, str]]

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"
EMPTY = hashlib.sha256(b"").hexdigest()
"""The digest of a request without a body."""


@frozen(kw_only=True)
class Request:
    """What is to be signed.

    Args:
        path: encoded, see `canonical_path`.
        headers: all that are signed, host among them; names in lower case.
        digest: the SHA-256 of the body, in hex.
    """

    method: str
    path: str
    query: Query = ()
    headers: Mapping[str, str]
    digest: str = EMPTY


def canonical_path(path: str) -> str:
    """A path as it goes on the wire: all but unreserved characters (RFC 3986 §2.3) and "/" as %XX."""
    return quote(path, safe="/-_.~")


def canonical_query(query: Query) -> str:
    """A query as it goes on the wire: encoded, then sorted by name and value."""
    return "&".join(
        f"{name}={value}" for name, value in sorted((_encoded(name), _encoded(value)) for name, value in query)
    )


def sign(request: Request, credentials: Credentials, region: str, now: float) -> dict[str, str]:
    """The request's headers with those of its signature.

    Args:
        now: epoch seconds; the server refuses what is more than 15 minutes off.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"
    headers = {**request.headers, "x-amz-date": stamp, "x-amz-content-sha256": request.digest}
    if credentials.token is not None:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(headers))
    digest = hashlib.sha256(_canonical_request(request, headers, names).encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    key = _signing_key(credentials.secret, stamp[:8], region)
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"{ALGORITHM} Credential={credentials.key_id}/{scope},SignedHeaders={names},Signature={signature}"
    )
    return headers


def _canonical_request(request: Request, headers: Mapping[str, str], names: str) -> str:
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
    query = canonical_query(request.query)
    return f"{request.method}\n{request.path}\n{query}\n{lines}\n{names}\n{request.digest}"


@lru_cache(maxsize=2)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for step in (day, region, SERVICE, "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
