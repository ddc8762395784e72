"""Large content in a bucket.

    PREFIX3f9c…e1           the object at place 3f9c…e1: 32 random hex digits
    PREFIXowner             whose this is, see worldmail.store.s3.owner
    3f9c…e1/UPLOAD-ID       in a list of places: an upload that is not finished

An object appears whole or not at all, and is durable when S3 says that it is there.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.database.failures import refusal
from worldmail.database.worker import Threads
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.store import IContentStore, IPlaceWriter
from worldmail.store.s3.bucket import Bucket
from worldmail.store.s3.owner import KEY, claim
from worldmail.store.s3.spool import Spool

T = TypeVar("T")

_PLACE = re.compile(r"([0-9a-f]{32})(?:/([\x21-\x7e]{1,1024}))?")


@implementer(IContentStore)
class ContentObjects:
    """Objects in one bucket, written and read in a few threads. Opens nothing before its first use.

    Args:
        prefix: what every key begins with.
        owner: what the site calls itself.
        directory: where parts are spooled, in files without names.
        part_size: octets; content up to this size is one request.
        patience: seconds that one call may take, the wait for a thread included.
        threads: how many.
        reactor: `callFromThread`.
    """

    name = "s3"

    def __init__(
        self,
        bucket: Bucket,
        *,
        prefix: str,
        owner: Callable[[], Awaitable[str]],
        directory: str,
        part_size: int,
        patience: float,
        threads: int,
        reactor: Any,
    ) -> None:
        self.bucket = bucket
        self.directory = directory
        self.part_size = part_size
        self._prefix = prefix
        self._owner = owner
        self._claimed = False
        self._patience = patience
        self._threads = Threads(reactor, "worldmail-s3", threads)

    def create(self) -> ObjectWriter:
        return ObjectWriter(store=self, place=secrets.token_hex(16), spool=Spool(directory=self.directory))

    def read(self, place: str, offset: int, length: int) -> Deferred[bytes]:
        key, _ = self.key(place)
        return self.in_thread(lambda end: self.bucket.read(key, offset, length, end) if length else b"")

    def remove(self, place: str) -> Deferred[None]:
        key, upload = self.key(place)
        if upload is None:
            return self.in_thread(lambda end: self.bucket.remove(key, end))
        return self.in_thread(lambda end: self.bucket.abandon(key, upload, end))

    async def places(self, older_than: int) -> list[str]:
        self._claimed = False  # whose it is may have changed since the last sweep, which removes what it does not know
        await self.claimed()
        return await self.in_thread(lambda end: list(self._places(older_than, end)))

    async def claimed(self) -> None:
        """Done when it is known that the prefix is ours. Raises `TemporaryFailure` if it is not."""
        if not self._claimed:
            owner = await self._owner()
            await self.in_thread(lambda end: claim(self.bucket, self._prefix, owner, end))
            self._claimed = True

    def in_thread(self, work: Callable[[float], T]) -> Deferred[T]:
        """Run `work` in one of the threads, with the time by which it must have ended (monotonic).

        An OSError, which is the spool's, becomes the `Refusal` it means.
        """
        end = time.monotonic() + self._patience

        def translated() -> T:
            if time.monotonic() >= end:
                raise TemporaryFailure(reason="S3: no thread was free in time")
            try:
                return work(end)
            except OSError as error:
                raise refusal(error) from error

        return self._threads.run(translated)

    def key(self, place: str) -> tuple[str, str | None]:
        """The key of a place, and the id of its upload if it is not finished. Nothing but a place leads anywhere."""
        found = _PLACE.fullmatch(place)
        if found is None:
            raise TemporaryFailure(reason=f"{place!r} is not a place of this content store")
        return self._prefix + found[1], found[2]

    def stop(self) -> None:
        """Fail what is under way."""
        self.bucket.exchange.stop()

    def _places(self, older_than: int, end: float) -> Iterator[str]:
        # A clock ahead of ours only makes objects look younger; to believe in it could cost what was just written.
        theirs = older_than + min(0.0, self.bucket.ahead(self._prefix + KEY, end))
        yield from self._objects(theirs)
        yield from self._uploads(theirs)

    def _objects(self, older_than: float) -> Iterator[str]:
        for page in self.bucket.objects(self._prefix, self._patience):
            for one in page:
                place = one.key.removeprefix(self._prefix)
                if one.at < older_than and "/" not in place and _PLACE.fullmatch(place):
                    yield place

    def _uploads(self, older_than: float) -> Iterator[str]:
        """Uploads to which nothing was added since: a slow sender may have begun long ago."""
        for page in self.bucket.uploads(self._prefix, self._patience):
            for one in page:
                place = f"{one.key.removeprefix(self._prefix)}/{one.upload}"
                if one.at < older_than and one.upload is not None and _PLACE.fullmatch(place):
                    newest = self.bucket.last_part_at(one.key, one.upload, self._patience)
                    if newest is None or newest < older_than:
                        yield place


@implementer(IPlaceWriter)
@define(kw_only=True)
class ObjectWriter:
    """Writes one object. Calls come one after another."""

    _store: ContentObjects
    _place: str
    _spool: Spool
    _upload: str | None = field(default=None, init=False)
    _tags: list[str] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _maybe_there: bool = field(default=False, init=False)

    async def write(self, data: bytes) -> None:
        await self._store.claimed()
        await self._store.in_thread(lambda end: self._write(memoryview(data), end))

    async def finish(self) -> str:
        await self._store.claimed()
        return await self._store.in_thread(self._finish)

    def abort(self) -> Deferred[None]:
        return self._store.in_thread(self._abort)

    def _write(self, rest: memoryview, end: float) -> None:
        while rest:
            if self._spool.length == self._store.part_size:
                self._send_part(end)
            piece = rest[: self._store.part_size - self._spool.length]
            self._spool.append(piece)
            rest = rest[len(piece) :]

    def _finish(self, end: float) -> str:
        bucket, key = self._store.bucket, self._key
        if self._upload is None:
            self._maybe_there = True
            bucket.put(key, self._spool.body(), end)
        else:
            self._send_part(end)
            self._maybe_there = True
            bucket.complete(key, self._upload, self._tags, self._size, end)
        self._spool.close()
        return self._place

    def _send_part(self, end: float) -> None:
        bucket, key = self._store.bucket, self._key
        if self._upload is None:
            self._upload = bucket.begin(key, end)
        body = self._spool.body()
        self._tags.append(bucket.send_part(key, self._upload, len(self._tags) + 1, body, end))
        self._size += body.length
        self._spool.clear()

    def _abort(self, end: float) -> None:
        self._spool.close()
        upload, self._upload = self._upload, None
        maybe_there, self._maybe_there = self._maybe_there, False
        if upload is not None:
            self._store.bucket.abandon(self._key, upload, end)
        if maybe_there:
            self._store.bucket.remove(self._key, end)

    @property
    def _key(self) -> str:
        return self._store.key(self._place)[0]
