"""What `worldmail check` asks the bucket: whether it is there, and whether we may. Blocks; changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from worldmail.errors import ConfigurationError, TemporaryFailure
from worldmail.store.s3.connection import Answer
from worldmail.store.s3.exchange import Ask, Exchange, told
from worldmail.store.s3.opening import make_exchange
from worldmail.store.s3.replies import MOST_OCTETS, BadReply, error_code, parse
from worldmail.store.s3.settings import S3Settings

PATIENCE = 15.0

_MEANINGS = {
    "SignatureDoesNotMatch": "the secret is another one than that of the access key, or region is wrong",
    "InvalidAccessKeyId": "the service does not know the access key",
    "ExpiredToken": "the session token is over",
    "RequestTimeTooSkewed": "the clock of this machine is wrong by more than 15 minutes",
    "NoSuchBucket": "the bucket is not there: make it, or mend bucket",
    "AuthorizationHeaderMalformed": "the bucket is in another region",
    "PermanentRedirect": "the bucket is in another region, or has another endpoint",
}
"""What errors mean to who runs the server, by their code."""

_LISTINGS = {
    "ListBucketResult": (("list-type", "2"), ("max-keys", "1")),
    "ListMultipartUploadsResult": (("uploads", ""), ("max-uploads", "1")),
}


def check_bucket(settings: Any) -> Iterator[str]:
    """What is wrong, by the whole configuration."""
    section: S3Settings = settings.content_stores["s3"]
    try:
        exchange = make_exchange(section, time.time)
        exchange.credentials.get()
    except ConfigurationError as error:
        yield str(error)
        return
    end = time.monotonic() + min(PATIENCE, section.patience)
    for root, query in _LISTINGS.items():
        ask = Ask(method="GET", query=[*query, ("prefix", section.prefix)], most=MOST_OCTETS)
        if fault := _fault(exchange, ask, root, end):
            yield fault
            return


def _fault(exchange: Exchange, ask: Ask, root: str, end: float) -> str | None:
    """What is wrong with the answer to a listing, None if it is one."""
    try:
        answer = exchange.ask(ask, end)
    except TemporaryFailure as error:
        return f"{error.reason}: expected an S3 service there"
    if answer.status != 200:
        return f"S3 {exchange.where}: {told(answer)}: {_meaning(answer, root)}"
    try:
        found = parse(answer.body).name
    except BadReply as error:
        found = str(error)
    return None if found == root else f"S3 {exchange.where}: answers with {found[:80]!r}, expected {root}"


def _meaning(answer: Answer, root: str) -> str:
    code = error_code(answer.body)
    region = answer.headers.get("x-amz-bucket-region", "")
    if region and answer.status in (301, 307, 400) and region.replace("-", "").isalnum():
        return f"the bucket is in the region {region[:64]}"
    if code in _MEANINGS:
        return _MEANINGS[code]
    if answer.status == 403:
        what = "list objects" if root == "ListBucketResult" else "list multipart uploads"
        return f"the key may not {what}; expected one that may list, read, write and remove below prefix"
    if answer.status == 404:
        return _MEANINGS["NoSuchBucket"]
    return "expected a listing of the bucket"
