"""The top service: from the path of a configuration to a server, and back.

What twistd does to it, in this order, and what it does then:

1. `privilegedStartService`, as the user who started it: read the configuration, build the
   World, let every protocol bind its ports. Nothing in the data directory is opened.
2. twistd drops to its `--uid`, if it was given.
3. `startService`: become `run_as`, harden the process, open the log and the database. When what is kept in
   memory has been read, routes above all, let every protocol serve: what connects before waits.
4. `stopService`: stop listening, tell the sessions, commit what was accepted, close the database and the log.

It holds nothing but the path and how it was called, so that it pickles into a .tap file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from worldmail.app import privileges
from worldmail.app.observer import JournalObserver
from worldmail.app.server import RunningServer
from worldmail.config.settings import Settings
from worldmail.errors import ConfigurationError, WorldMailError
from worldmail.transport.reactor import install_reactor

DEFAULT_DIRECTORY = "worldmail-data"

_log = Logger()

_SERVICE: Any = Service  # its methods have no annotations


class WorldMailService(MultiService):
    """A whole WorldMail server.

    Args:
        config: the absolute path of the configuration file; None for ./worldmail-data, made if need be.
        log_file: a file for the log in place of the one in [log] (twistd's `--logfile`), "-" for standard output.
        takes_log: Twisted's events go to our log; False leaves them to twistd's own observer as well.
        owner: the numbers of the user and group that twistd will drop to (None: it will not).
    """

    def __init__(
        self,
        config: str | None,
        *,
        log_file: str | None = None,
        takes_log: bool = True,
        owner: tuple[int | None, int | None] = (None, None),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted's is untyped
        self._called: dict[str, Any] = {
            "config": config,
            "log_file": log_file,
            "takes_log": takes_log,
            "owner": owner,
        }
        self._observer = JournalObserver()
        self._server: RunningServer | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_called": self._called, "_observer": self._observer, "parent": self.parent, "name": self.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        install_reactor()  # of a .tap file this is the first that runs
        MultiService.__init__(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        self.__dict__.update(state, _server=None)

    def setServiceParent(self, parent: Any) -> None:
        """In an application, take twistd's log events as well."""
        if self._called["takes_log"] and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]  # Twisted's is untyped

    @property
    def config(self) -> Path:
        """The configuration file."""
        named: str | None = self._called["config"]
        if named is None:
            return Path(DEFAULT_DIRECTORY, "worldmail.toml").absolute()
        return Path(named)

    def read_configuration(self) -> Settings | None:
        """The configuration; None if there is none yet and none was named. Raises `ConfigurationError`."""
        from worldmail.app.ground import read_configuration

        if self._called["config"] is None and not self.config.exists():
            return None
        return read_configuration(self.config)

    def privilegedStartService(self) -> None:
        """Bind; see the module."""
        with self._one_line_on_failure():
            privileges.set_private_umask()
            settings = self.read_configuration() or self._first_start()
            self._server = RunningServer.build(settings, self._observer, self._called["log_file"])
            for service in self._server.protocols:
                self._adopt(service)
            super().privilegedStartService()  # type: ignore[no-untyped-call]  # Twisted's is untyped

    def startService(self) -> None:
        """Serve; see the module."""
        with self._one_line_on_failure():
            server = self._required()
            server.drop_privileges()
            server.open(self._is_default())
            _SERVICE.startService(self)
            server.serve(self._is_default(), self.reload)

    def stopService(self) -> Any:
        """Stop; see the module."""
        stopping = super().stopService()  # type: ignore[no-untyped-call]  # Twisted's is untyped
        server, self._server = self._server, None
        if server is None:
            return stopping
        return Deferred.fromCoroutine(server.stop(stopping)).addBoth(self._forget_services)

    def reload(self) -> None:
        """Take up a changed configuration and certificates; sessions go on (SIGHUP)."""
        self._required().reload(self.config)

    def _is_default(self) -> bool:
        return self._called["config"] is None

    def _required(self) -> RunningServer:
        if self._server is None:
            raise ConfigurationError("the server is not running")
        return self._server

    def _adopt(self, service: Any) -> None:
        if not IService.providedBy(service):
            raise ConfigurationError(f"the plugin's service {service!r} is no IService")
        service.setServiceParent(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped

    def _forget_services(self, result: Any) -> Any:
        for service in list(self):
            service.disownServiceParent()
        return result

    def _first_start(self) -> Settings:
        from worldmail.app.first import make_default_site

        return make_default_site(self.config.parent, self._called["owner"])

    @contextmanager
    def _one_line_on_failure(self) -> Iterator[None]:
        """What is wrong is for an administrator to read: say it in one line. Only a fault of ours has a traceback."""
        try:
            yield
        except (WorldMailError, OSError, CannotListenError) as error:
            _log.critical("cannot start: {error}", error=error)
            self._abandon()
            sys.tracebacklimit = 0
            raise
        except Exception:
            _log.failure("cannot start")
            self._abandon()
            raise

    def _abandon(self) -> None:
        server, self._server = self._server, None
        if server is None:
            self._observer.give_up()
        else:
            server.abandon()
