"""The requests of S3 that are used, on one bucket. Blocks; for threads.

`end` is when the time for it is up (monotonic). All raise `TemporaryFailure`.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from attrs import evolve, frozen

from worldmail.errors import TemporaryFailure
from worldmail.store.s3.connection import Answer
from worldmail.store.s3.exchange import MOST_OF_AN_ERROR, Ask, Exchange, told
from worldmail.store.s3.replies import MOST_OCTETS, BadReply, Element, moment, parse
from worldmail.store.s3.signing import Query

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_LENGTH = re.compile(r"[0-9]{1,18}")
_ETAG = re.compile(r"[\x21-\x7e]{1,256}")


@frozen(kw_only=True)
class Body:
    """A file to be sent whole.

    Args:
        digest: its SHA-256, which the signature is over.
        md5: some services compare nothing else with what arrived (RFC 1864).
    """

    file: BinaryIO
    length: int
    digest: bytes
    md5: bytes


@frozen(kw_only=True)
class Listed:
    """An object, or an upload that was not completed: its key, when it was last written or begun, the upload's id."""

    key: str
    at: float
    upload: str | None = None


@frozen(kw_only=True)
class Bucket:
    """One bucket."""

    exchange: Exchange

    def put(self, key: str, body: Body, end: float) -> None:
        """Make an object; done when it is durable."""
        self._expect(self._sending("PUT", key, (), body), end, 200)

    def read(self, key: str, offset: int, length: int, end: float) -> bytes:
        """Octets [offset, offset+length) of an object, fewer only at its end."""
        last = offset + length - 1
        ask = Ask(
            method="GET", key=key, headers={"range": f"bytes={offset}-{last}"}, most=max(length, MOST_OF_AN_ERROR)
        )
        answer = self._expect(ask, end, 206, 416)
        if answer.status == 416:  # nothing there: at the end, or past it
            return b""
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if found is None or int(found[1]) != offset or len(answer.body) != int(found[2]) + 1 - offset:
            raise self.exchange.failure(ask, f"another range than {offset}-{last}")
        if int(found[2]) != last and (found[3] == "*" or int(found[2]) != min(last, int(found[3]) - 1)):
            raise self.exchange.failure(ask, f"less than {offset}-{last}")
        return answer.body

    def small(self, key: str, end: float) -> bytes | None:
        """A small object whole, None if there is none."""
        answer = self._expect(Ask(method="GET", key=key), end, 200, 404)
        return answer.body if answer.status == 200 else None

    def put_new(self, key: str, octets: bytes, end: float) -> None:
        """Make a small object unless there is one, as far as the service can tell; look up afterwards who was first."""
        sha256, md5 = hashlib.sha256(octets), hashlib.md5(octets, usedforsecurity=False)
        body = Body(file=io.BytesIO(octets), length=len(octets), digest=sha256.digest(), md5=md5.digest())
        ask = self._sending("PUT", key, (), body)
        self._expect(evolve(ask, headers={**ask.headers, "if-none-match": "*"}), end, 200, 409, 412)

    def size(self, key: str, end: float) -> int | None:
        """The length of an object, None if there is none."""
        ask = Ask(method="HEAD", key=key, most=0)
        answer = self._expect(ask, end, 200, 404)
        length = answer.headers.get("content-length", "")
        return int(length) if answer.status == 200 and _LENGTH.fullmatch(length) else None

    def ahead(self, key: str, end: float) -> float:
        """By how many seconds the service's clock, which tells when objects were written, is ahead of ours."""
        answer = self._expect(Ask(method="HEAD", key=key, most=0), end, 200, 404)
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        except (ValueError, OverflowError):
            return 0.0
        if theirs.tzinfo is None:  # "-0000" (RFC 5322 §3.3): UTC, from who knows where
            theirs = theirs.replace(tzinfo=UTC)
        return theirs.timestamp() - self.exchange.now()

    def remove(self, key: str, end: float) -> None:
        """Remove an object, if it is there."""
        self._expect(Ask(method="DELETE", key=key), end, 200, 204, 404)

    def begin(self, key: str, end: float) -> str:
        """Begin an upload in parts: its id."""
        ask = Ask(method="POST", key=key, query=[("uploads", "")], most=MOST_OCTETS)
        upload = self._parsed(ask, self._expect(ask, end, 200)).get("UploadId")
        if not upload:
            raise self.exchange.failure(ask, "an upload without an id")
        return upload

    def send_part(self, key: str, upload: str, number: int, body: Body, end: float) -> str:
        """Send a part, the first has the number 1; what S3 calls it (ETag)."""
        ask = self._sending("PUT", key, [("partNumber", str(number)), ("uploadId", upload)], body)
        tag = self._expect(ask, end, 200).headers.get("etag", "")
        if _ETAG.fullmatch(tag) is None:
            raise self.exchange.failure(ask, "a part without an ETag")
        return tag

    def complete(self, key: str, upload: str, tags: list[str], size: int, end: float) -> None:
        """Make an object of the parts; done when it is there with this size, and durable."""
        parts = (
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
        ask = Ask(
            method="POST",
            key=key,
            query=[("uploadId", upload)],
            body=body,
            length=len(body),
            digest=hashlib.sha256(body).hexdigest(),
            most=MOST_OCTETS,
            begun=True,
        )
        answer = self._expect(ask, end, 200, 404)
        if answer.status == 200 and self._parsed(ask, answer).name != "CompleteMultipartUploadResult":
            raise self.exchange.failure(ask, f"{told(answer)} in place of a result")
        # An earlier try may have done it although its reply was lost: what counts is the object.
        if self.size(key, end) != size:
            raise self.exchange.failure(ask, f"{told(answer)}, and the object is not there whole")

    def abandon(self, key: str, upload: str, end: float) -> None:
        """Remove an upload and its parts, if it is there."""
        self._expect(Ask(method="DELETE", key=key, query=[("uploadId", upload)]), end, 200, 204, 404)

    def objects(self, prefix: str, patience: float) -> Iterator[list[Listed]]:
        """All objects whose keys begin so, page by page; each page may take that many seconds."""
        query = [("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)]
        for page in self._pages(
            Ask(method="GET", query=query), {"continuation-token": "NextContinuationToken"}, patience
        ):
            yield [_listed(one, "LastModified") for one in page.all("Contents")]

    def uploads(self, prefix: str, patience: float) -> Iterator[list[Listed]]:
        """All uploads that were begun and neither completed nor abandoned, in the same way."""
        # Without encoding-type: a marker is given back as it came. Keys that XML cannot hold are not ours.
        query = [("uploads", ""), ("prefix", prefix)]
        markers = {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
        for page in self._pages(Ask(method="GET", query=query), markers, patience):
            yield [_listed(one, "Initiated") for one in page.all("Upload")]

    def last_part_at(self, key: str, upload: str, patience: float) -> float | None:
        """When the newest part of an upload was written; None if it has none, or is gone."""
        ask = Ask(method="GET", key=key, query=[("uploadId", upload)])
        pages = self._pages(ask, {"part-number-marker": "NextPartNumberMarker"}, patience)
        return max((_moment(part, "LastModified") for page in pages for part in page.all("Part")), default=None)

    def _pages(self, ask: Ask, markers: Mapping[str, str], patience: float) -> Iterator[Element]:
        """The pages of a listing; none if what is listed is gone.

        Args:
            markers: the names of what asks for the next page, each with the name of what says where that begins.
        """
        at: list[tuple[str, str]] = []
        while True:
            paged = evolve(ask, query=[*ask.query, *at], most=MOST_OCTETS)
            answer = self._expect(paged, time.monotonic() + patience, 200, *([404] if ask.key else []))
            if answer.status == 404:
                return
            page = self._parsed(paged, answer)
            yield page
            if page.get("IsTruncated") != "true":
                return
            before, at = at, [(name, page.get(value)) for name, value in markers.items()]
            if at == before or not any(value for _, value in at):
                raise self.exchange.failure(paged, "a listing that does not go on")

    def _expect(self, ask: Ask, end: float, *statuses: int) -> Answer:
        answer = self.exchange.ask(ask, end)
        if answer.status not in statuses:
            raise self.exchange.failure(ask, told(answer))
        return answer

    def _parsed(self, ask: Ask, answer: Answer) -> Element:
        try:
            return parse(answer.body)
        except BadReply as error:
            raise self.exchange.failure(ask, str(error)) from None

    @staticmethod
    def _sending(method: str, key: str, query: Query, body: Body) -> Ask:
        return Ask(
            method=method,
            key=key,
            query=query,
            headers={"content-md5": b64encode(body.md5).decode()},
            body=body.file,
            length=body.length,
            digest=body.digest.hex(),
        )


def _listed(element: Element, time_of: str) -> Listed:
    key = unquote_plus(element.get("Key"))
    return Listed(key=key, at=_moment(element, time_of), upload=element.get("UploadId") or None)


def _moment(element: Element, name: str) -> float:
    try:
        return moment(element.get(name))
    except BadReply as error:
        raise TemporaryFailure(reason=f"S3: a listing with {error}") from None
