"""One site a prefix: an object says whose it is.

The sweep removes whatever its database does not know. Led to the bucket of another site, by a copied configuration
say, it would remove all of that site's mail.
"""

from __future__ import annotations

import secrets

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Cursor
from worldmail.store.s3.bucket import Bucket

KEY = "owner"
"""The object's key, after the prefix."""

_FACT = "s3-owner"


def owner_of(cursor: Cursor) -> str:
    """A unit of work: what the site of this database calls itself, for ever the same."""
    cursor.run(
        "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (_FACT, secrets.token_hex(16))
    )
    row = cursor.one("SELECT value FROM fact WHERE name = ?", (_FACT,))
    assert row is not None, "it was just inserted"
    owner: str = row[0]
    return owner


def claim(bucket: Bucket, prefix: str, owner: str, end: float) -> None:
    """See that the prefix belongs to `owner`, to whom it falls if it is nobody's yet.

    Raises: `TemporaryFailure` if it is another's, or nothing can be said.
    """
    octets = owner.encode()
    found = bucket.small(prefix + KEY, end)
    if found is None:
        bucket.put_new(prefix + KEY, octets, end)
        found = bucket.small(prefix + KEY, end)
    if found != octets:
        raise TemporaryFailure(
            reason=f"S3 {bucket.exchange.where}: there is the mail of another site, as the object {prefix + KEY} says:"
            " expected a prefix of its own in [s3]"
        )
