"""Large content in files.

    content/3f/3f9c…e1        a place: 32 random hex digits, below a directory of its first two
    content/3f/3f9c…e1.part   one that is not finished

A place is synced under its temporary name, renamed, and then its directory is synced (and the directory above, if
this one may be new): when `finish` is done it is there after a power cut, whole and under its name.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.database.failures import refusal
from worldmail.database.file import sync_directory
from worldmail.database.worker import Threads
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.store import IContentStore, IPlaceWriter

T = TypeVar("T")

THREADS = 16
"""Most of them wait for the disk, which orders what it is given together."""

_PLACE = re.compile(r"[0-9a-f]{32}(\.part)?")


@implementer(IContentStore)
class ContentFiles:
    """Files below one directory, written and read in a few threads. Makes nothing before its first use.

    Args:
        directory: for these files alone; made with mode 0700.
        reactor: `callFromThread`.
    """

    name = "files"

    def __init__(self, directory: str, reactor: Any) -> None:
        self._directory = directory
        self._threads = Threads(reactor, "worldmail-content", THREADS)
        self._synced: set[str] = set()

    def create(self) -> FilePlaceWriter:
        return FilePlaceWriter(store=self, place=secrets.token_hex(16))

    def read(self, place: str, offset: int, length: int) -> Deferred[bytes]:
        path = self.path(place)

        def read() -> bytes:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.pread(handle, length, offset)
            finally:
                os.close(handle)

        return self.in_thread(read)

    def remove(self, place: str) -> Deferred[None]:
        path = self.path(place)

        def remove() -> None:
            with suppress(FileNotFoundError):
                os.unlink(path)

        return self.in_thread(remove)

    def places(self, older_than: int) -> Deferred[list[str]]:
        return self.in_thread(lambda: list(_old_files(self._directory, older_than)))

    def in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        """Run `work` in one of the threads; an OSError becomes the `Refusal` it means."""

        def translated() -> T:
            try:
                return work()
            except OSError as error:
                raise refusal(error) from error

        return self._threads.run(translated)

    def path(self, place: str) -> str:
        """The file of a place. Nothing but a place leads anywhere."""
        if _PLACE.fullmatch(place) is None:
            raise TemporaryFailure(reason=f"{place!r} is not a place of this content store")
        return os.path.join(self._directory, place[:2], place)

    def make_directory(self, directory: str) -> None:
        """Make it, and see that its name is on disk; in a thread."""
        if directory not in self._synced:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            sync_directory(self._directory)
            sync_directory(os.path.dirname(self._directory))
            self._synced.add(directory)


@implementer(IPlaceWriter)
@define(kw_only=True)
class FilePlaceWriter:
    """Writes one file. Calls come one after another."""

    _store: ContentFiles
    _place: str
    _handle: int | None = field(default=None, init=False)

    def write(self, data: bytes) -> Deferred[None]:
        return self._store.in_thread(lambda: self._write(data))

    def finish(self) -> Deferred[str]:
        return self._store.in_thread(self._finish)

    def abort(self) -> Deferred[None]:
        return self._store.in_thread(self._abort)

    def _write(self, data: bytes) -> None:
        try:
            handle = self._open()
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
        except OSError:
            self._abort()
            raise

    def _open(self) -> int:
        if self._handle is None:
            path = self._temporary
            self._store.make_directory(os.path.dirname(path))
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return self._handle

    def _finish(self) -> str:
        try:
            handle = self._open()
            os.utime(handle)  # a slow sender's last octets may be old: the sweep counts from now
            os.fsync(handle)
            # Large content is read once or twice, if ever: the memory is better left to the database's pages. Taking it
            # from the system anew for each message also costs more than it gains.
            with suppress(OSError):
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            self._close()
            path = self._store.path(self._place)
            os.rename(self._temporary, path)
            sync_directory(os.path.dirname(path))
        except OSError:
            self._abort()
            raise
        return self._place

    def _abort(self) -> None:
        self._close()
        for path in (self._temporary, self._store.path(self._place)):
            with suppress(OSError):
                os.unlink(path)

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    @property
    def _temporary(self) -> str:
        return self._store.path(f"{self._place}.part")


def _old_files(directory: str, older_than: int) -> list[str]:
    found: list[str] = []
    try:
        parts = [entry.path for entry in os.scandir(directory) if entry.is_dir()]
    except FileNotFoundError:
        return found
    for part in parts:
        for entry in os.scandir(part):
            try:
                if _PLACE.fullmatch(entry.name) and entry.stat().st_mtime < older_than:
                    found.append(entry.name)
            except FileNotFoundError:
                continue
    return found


def content_files(foundations: Foundations) -> ContentFiles:
    """The content store "files": the directory `content` of the data directory."""
    return ContentFiles(str(foundations.data / "content"), foundations.reactor)
