"""What twistd calls: options and the making of the service, and an application for .tac and .tap files."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from twisted.application import service
from twisted.python import usage

from worldmail.app.service import WorldMailService
from worldmail.errors import WorldMailError
from worldmail.transport.reactor import install_reactor


class Options(usage.Options):
    """`twistd worldmail [--config FILE]`."""

    optParameters: ClassVar[list[list[Any]]] = [
        ["config", "c", None, "The configuration file. Without one, ./worldmail-data is made (or used again)."],
    ]
    longdesc = "WorldMail: mail and directory for a site. `worldmail init DIR` makes a configuration to start from."


def makeService(options: Options) -> WorldMailService:
    """The top service; a wrong configuration ends twistd here, with one line, before it has made any file."""
    install_reactor()
    twistd: Any = getattr(options, "parent", None) or {}
    made = WorldMailService(
        _absolute(options["config"]),
        log_file=twistd.get("logfile"),
        takes_log=not (twistd.get("syslog") or twistd.get("logger")),
        owner=(twistd.get("uid"), twistd.get("gid")),
    )
    try:
        made.read_configuration()
    except WorldMailError as error:
        raise SystemExit(f"worldmail: {error}") from None
    return made


def application(config: str | None = None) -> Any:
    """A Twisted application that serves by this configuration file: for `twistd -y FILE.tac` and `twistd -f FILE.tap`.

    The [log] section says where the log is; twistd's own `--logfile` has no effect on it.
    """
    install_reactor()
    made: Any = service.Application("worldmail")  # type: ignore[no-untyped-call]  # Twisted's is untyped
    WorldMailService(_absolute(config)).setServiceParent(made)
    return made


def _absolute(config: str | None) -> str | None:
    return None if config is None else os.path.abspath(config)


__all__ = ["Options", "application", "makeService"]
