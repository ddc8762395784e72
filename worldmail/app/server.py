"""One run of the server, between the reading of its configuration and its end."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.application.service import IServiceCollection
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from worldmail.app import privileges
from worldmail.app.assembly import Assembly, build
from worldmail.app.first import furnish_default_site
from worldmail.app.ground import read_configuration, server_key
from worldmail.app.journal import Journal, lost_line
from worldmail.app.observer import JournalObserver
from worldmail.app.preload import preload
from worldmail.app.reload import differences, take_up
from worldmail.app.sink import STANDARD_ERROR, Sink, standard_error_is_nowhere
from worldmail.auth.server_key import FILE_NAME
from worldmail.config.settings import Settings
from worldmail.errors import WorldMailError
from worldmail.transport.clock import use_monotonic_time

LOG_IN_DATA = "worldmail.log"
GRACE = 2.0
"""Seconds beyond shutdown_timeout that the database gets for its last commit."""

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that computes lets others in. Each statement of the database lets go of the interpreter:
with the usual 5 ms the reactor would get it back as late as that, statement after statement, while a sort goes on."""

YOUNG_OBJECTS = 5000
"""So many more objects than before, and new ones are looked through for garbage. With the usual 700 that takes a
twentieth part of what it costs to relay a message."""


@define(kw_only=True)
class RunningServer:
    """The parts of a server that runs, or is about to."""

    settings: Settings
    assembly: Assembly
    journal: Journal
    _reactor: Any
    _observer: JournalObserver
    _log_file: str | None
    _hangup: Any = field(default=None)
    _begun_with: Settings = field(init=False)
    _beginning: Deferred[None] | None = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._begun_with = self.settings

    @classmethod
    def build(cls, settings: Settings, observer: JournalObserver, log_file: str | None) -> RunningServer:
        """Put the parts together; opens nothing in the data directory but the server key. As root, still."""
        from twisted.internet import reactor

        use_monotonic_time(reactor)
        if os.geteuid() == 0:
            preload()
            if settings.server.run_as:
                _prepare_data(settings, privileges.identity(settings.server.run_as))
            elif settings.data.exists():
                _make_key_as_owner(settings)
        text = log_file is None and settings.log.file is None and _console_is_text(settings)
        journal = Journal(reactor, text=text, level=settings.log.level)
        assembly = build(settings, reactor, journal)
        observer.hand_over(journal.event)
        globalLogPublisher.addObserver(observer)
        return cls(
            settings=settings,
            assembly=assembly,
            journal=journal,
            reactor=reactor,
            observer=observer,
            log_file=log_file,
        )

    @property
    def protocols(self) -> tuple[Any, ...]:
        """The services of the protocols."""
        return tuple(self.assembly.protocols.values())

    def drop_privileges(self) -> None:
        """Become `run_as`, if we are root; say it loudly if root stays."""
        if self.settings.server.run_as and os.geteuid() == 0:
            privileges.become(privileges.identity(self.settings.server.run_as))
        privileges.harden()
        if privileges.is_root():
            self.journal.record("server.running-as-root", level="warn", text=privileges.ROOT_WARNING)

    def open(self, default: bool) -> None:
        """Open log and database, as the user who serves. `default` tells that no configuration was named."""
        self.journal.start(self._sink())
        files = privileges.allow_many_connections()
        self.assembly.store.database.start()
        if default:
            data = str(self.settings.data)
            self.journal.record(
                "server.no-configuration", level="warn", text=f"no configuration was named, serving {data}"
            )
        self.journal.record(
            "server.started",
            user=os.geteuid(),
            pid=os.getpid(),
            files=files,
            protocols=sorted(self.assembly.protocols),
            listening=[f"{host}:{port}" for service in self.protocols for host, port in _addresses(service)],
        )

    def serve(self, default: bool, reload: Callable[[], None]) -> None:
        """Serve, as soon as all is known that it takes; `reload` at SIGHUP."""
        if threading.current_thread() is threading.main_thread():
            self._hangup = signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(reload))
        self._beginning = Deferred.fromCoroutine(self._begin(default))
        self._beginning.addErrback(self._fatal)

    async def _begin(self, default: bool) -> None:
        await self._first_work(default)
        for table in self.assembly.tables:
            table.startService()
        for table in self.assembly.tables:
            await table.tried()
        if self._stopping:
            return
        for service in (*self.protocols, *self.assembly.background):
            service.startService()
        # What is there now stays. A full collection of garbage holds everybody up while it looks at all objects: at
        # these 100,000 for a tenth of a second, which much work on a mailbox brings about again and again.
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS)
        sys.setswitchinterval(SWITCH_INTERVAL)

    async def stop(self, protocols: Deferred[Any]) -> None:
        """Wait for the protocols (for so long), commit what was accepted, close."""
        self._stopping = True
        gc.unfreeze()
        if self._hangup is not None:
            signal.signal(signal.SIGHUP, self._hangup)
        timeout = self.settings.server.shutdown_timeout
        await _within(self._reactor, timeout, self._beginning)
        await _within(self._reactor, timeout + GRACE, protocols)
        for service in (*self.assembly.background, *self.assembly.tables):
            if service.running:
                await _within(self._reactor, timeout, service.stopService())
        await _within(self._reactor, timeout, Deferred.fromCoroutine(self.assembly.authentication.stop()))
        await _within(self._reactor, timeout + GRACE, self.assembly.store.database.stop())
        self.journal.record("server.stopped", pid=os.getpid())
        self._close_log()

    def abandon(self) -> None:
        """The start failed: leave the log where an administrator finds it."""
        self.journal.start(Sink(None, lost_line))
        self._close_log()

    def reload(self, file: Path) -> None:
        """Take up what can change while the server runs; a wrong configuration changes nothing."""
        self.journal.reopen()
        try:
            new = read_configuration(file)
            taken = take_up(self.assembly, new)
        except (WorldMailError, OSError) as error:
            self.journal.record("server.reload-refused", level="error", text=f"the old configuration goes on: {error}")
            return
        assembly = taken.assembly
        changed = [str(one) for one in differences(self.settings, new, assembly.protocols) if one.live]
        waiting = [str(one) for one in differences(self._begun_with, new, assembly.protocols) if not one.live]
        self.settings, self.assembly = new, assembly
        self.journal.set_level(new.log.level)
        self.journal.record("server.reloaded", changed=changed)
        if waiting:
            text = f"these settings changed and take effect at the next start: {', '.join(waiting)}"
            self.journal.record("server.restart-needed", level="warn", text=text, settings=waiting)
        if taken.shut:
            text = f"there is a certificate now, but these listeners need a restart: {'; '.join(taken.shut)}"
            self.journal.record("server.restart-needed", level="warn", text=text, settings=["tls.certificates"])

    async def _first_work(self, default: bool) -> None:
        await self.assembly.store.check_key()
        await self.assembly.authentication.start()
        if default:
            await furnish_default_site(self.assembly.store.admin, self.settings.data, self.journal)

    def _fatal(self, failure: Any) -> None:
        if not self._stopping:  # else it was cut short
            self.journal.failure("server.fault", failure.value)
            self._reactor.stop()

    def _sink(self) -> Sink:
        path = self._log_file
        if path is None and self.settings.log.file is not None:
            path = str(self.settings.log.file)
        if path is None and standard_error_is_nowhere():
            path = str(self.settings.data / LOG_IN_DATA)
        return Sink(path, lost_line)

    def _close_log(self) -> None:
        if self._observer in globalLogPublisher._observers:
            globalLogPublisher.removeObserver(self._observer)
        self._observer.take_back()
        self.journal.close()


def _addresses(service: Any) -> Iterator[tuple[str, int]]:
    """Where a service and its children listen, as far as they tell."""
    yield from getattr(service, "addresses", ())
    if IServiceCollection.providedBy(service):
        for child in service:
            yield from _addresses(child)


def _prepare_data(settings: Settings, who: privileges.Identity) -> None:
    """See that what lies in the data directory is theirs who will serve."""
    if settings.data.exists():
        privileges.hand_over(settings.data, who)
    with privileges.acting_as(who):
        server_key(settings)


def _make_key_as_owner(settings: Settings) -> None:
    """twistd may yet drop root (--uid), to whom the data directory belongs: they must be able to read a new key."""
    about = settings.data.stat()
    if about.st_uid and not (settings.data / FILE_NAME).exists():
        with privileges.acting_as(privileges.Identity(uid=about.st_uid, gid=about.st_gid, name=None)):
            server_key(settings)


def _console_is_text(settings: Settings) -> bool:
    if settings.log.console == "auto":
        return os.isatty(STANDARD_ERROR)
    return settings.log.console == "text"


async def _within(reactor: Any, seconds: float, waited: Any) -> None:
    """Wait for a result (or None), not longer than this; its failure is not ours."""
    if isinstance(waited, Deferred):
        await waited.addTimeout(seconds, reactor).addErrback(lambda failure: None)
    elif waited is not None:
        await waited
