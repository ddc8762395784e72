"""Recipients of relay domains that stand in files, which somebody else writes now and then.

Nothing runs while no mail comes: whoever asks, and whose last look at the file is too old, looks again; the file is
read anew, in a thread, if it is another one. A file that cannot be used changes nothing: the last list that could be
read goes on, and as long as there was none, recipients are refused for the time being, never for good.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.config.relay import RelaySettings
from worldmail.database.worker import Threads
from worldmail.directory.recipient_lines import BadLine, read_recipients
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.queue import IRecipientSource
from worldmail.interfaces.world import Aside, IClock, IJournal
from worldmail.mail.address import Address
from worldmail.mail.domain import host_name
from worldmail.wire.ready import Ready

SETTLED = 2.0
"""Seconds for which a file has not been written to before it is read: until then its writer may be at it."""
MAXIMUM_OCTETS = 128 << 20
BEING_WRITTEN = "is being written"

Signature = tuple[int, int, int, int]


class Unusable(Exception):
    """The file cannot be used; the text says why."""


@frozen(kw_only=True)
class Seen:
    """What a look at a file found: the list, or why there is none."""

    signature: Signature | None
    names: frozenset[str] | None = None
    trouble: str = ""


@define(eq=False)
class Followed:
    """A file, and what is known of it: `names` is the last list that could be read, `seen` what was looked at last."""

    domain: str
    path: Path
    names: frozenset[str] | None = None
    seen: Seen = Seen(signature=None)
    looked: float = -inf
    waiting: list[Deferred[None]] | None = None
    told: str = field(default="")


@implementer(IRecipientSource)
class FileRecipients:
    """See the module.

    Args:
        settings: the files, by domain.
        aside: runs what reads them.
    """

    name: ClassVar[str] = "files"

    def __init__(self, settings: RelaySettings, clock: IClock, journal: IJournal, aside: Aside) -> None:
        self._clock = clock
        self._journal = journal
        self._aside = aside
        self._recheck = 0.0
        self._files: dict[str, Followed] = {}
        self._follow(settings)

    def exists(self, address: Address) -> Awaitable[bool | None]:
        """See `IRecipientSource.exists`."""
        file = self._files.get(address.domain_key)
        if file is None:
            return Ready(None)
        fresh = file.waiting is not None or self._clock.seconds() - file.looked < self._recheck
        if fresh and file.names is not None:
            return Ready(address.local_key in file.names)
        return self._look(file, address)

    def reload(self, settings: Any) -> None:
        """See `IRecipientSource.reload`. A list that was read of the same file goes on until a better one is read."""
        self._follow(settings.relay)

    def _follow(self, settings: RelaySettings) -> None:
        known = {(file.domain, file.path): file for file in self._files.values()}
        self._recheck = float(settings.recheck)
        self._files = {}
        for name, path in settings.recipient_files.items():
            domain = host_name(name)
            self._files[domain] = file = known.get((domain, path)) or Followed(domain, path)
            file.looked = -inf

    async def _look(self, file: Followed, address: Address) -> bool:
        if file.waiting is None:
            await self._look_again(file)
        else:
            done: Deferred[None] = Deferred()
            file.waiting.append(done)
            await done
        if file.names is None:
            raise TemporaryFailure(reason=f"{file.path}: {file.seen.trouble}")
        return address.local_key in file.names

    async def _look_again(self, file: Followed) -> None:
        """One at a time; whoever needs the list waits for it, and others are answered by the last one."""
        file.waiting = []
        try:
            looking = partial(look_at, file.path, file.domain, file.seen.signature, self._clock.now)
            seen: Seen | None = await self._aside(looking)
            if seen is not None:
                self._take(file, seen)
        finally:
            file.looked = self._clock.seconds()
            waiting, file.waiting = file.waiting, None
            for done in waiting:
                done.callback(None)

    def _take(self, file: Followed, seen: Seen) -> None:
        file.seen = seen
        if seen.names is not None:
            file.names = seen.names
            self._journal.record(
                "relay.recipients", domain=file.domain, file=str(file.path), recipients=len(seen.names)
            )
        elif seen.trouble != file.told:
            self._journal.record(
                "relay.recipients-unusable",
                level="error" if file.names is None else "warn",
                domain=file.domain,
                file=str(file.path),
                reason=seen.trouble,
                recipients=None if file.names is None else len(file.names),
            )
        file.told = seen.trouble


def files_source(foundations: Foundations) -> FileRecipients:
    """The source, for the plugin door."""
    threads = Threads(foundations.reactor, "worldmail-recipients", 1)
    return FileRecipients(foundations.settings.relay, foundations.clock, foundations.journal, threads.run)


def look_at(path: Path, domain: str, known: Signature | None, now: Callable[[], float]) -> Seen | None:
    """What is in the file; None if it is the one that is known. Blocks; never raises what a file can bring about.

    Args:
        now: epoch seconds.
    """
    try:
        with open(path, "rb", opener=_open) as opened:
            about = os.fstat(opened.fileno())
            signature = _signature(about)
            if signature == known:
                return None
            try:
                return Seen(signature=signature, names=_read(opened, about, domain, now()))
            except Written as error:
                return Seen(signature=None, trouble=str(error))
            except (Unusable, BadLine) as error:
                return Seen(signature=signature, trouble=str(error))
    except OSError as error:
        return Seen(signature=None, trouble=error.strerror or str(error))


class Written(Unusable):
    """It is being written to: the next look may find it whole."""


def _read(opened: BinaryIO, about: os.stat_result, domain: str, now: float) -> frozenset[str]:
    if not stat.S_ISREG(about.st_mode):
        raise Unusable("is not a file")
    if about.st_size > MAXIMUM_OCTETS:
        raise Unusable(f"has more than {MAXIMUM_OCTETS >> 20} MiB")
    if 0 <= now - about.st_mtime < SETTLED:
        raise Written(BEING_WRITTEN)
    names = read_recipients(opened, (domain,)).names
    if _signature(os.fstat(opened.fileno())) != _signature(about):
        raise Written(BEING_WRITTEN)
    if not names:
        raise Unusable(f"names no recipient in {domain}")
    return names


def _signature(about: os.stat_result) -> Signature:
    return (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO keeps nobody waiting
