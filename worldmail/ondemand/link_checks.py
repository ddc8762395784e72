"""What is wrong with links as far as can be told without bringing one up."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.resting import ANY_ROUTE
from worldmail.ondemand.link_admin import LINKS
from worldmail.ondemand.link_commands import SESSION
from worldmail.ondemand.link_keys import Command, Link, link_of


def faults_of_links(cursor: Cursor, routes: Collection[str]) -> Iterator[str]:
    """A sentence for each fault. Raises `ConfigurationError`, `BadValue`.

    Args:
        routes: the names of all that there are.
    """
    for entry in LINKS.all(cursor):
        link = link_of(entry.name, entry.texts)
        if link.enabled:
            yield from _faults(link, routes)


def _faults(link: Link, routes: Collection[str]) -> Iterator[str]:
    for route in link.routes:
        if route not in ("", ANY_ROUTE) and route not in routes:
            yield f"the link {link.name} is for the route {route}, which does not exist"
    commands = {"up": link.up, "down": link.down, "probe": link.probe}
    for key, command in commands.items():
        if isinstance(command, Command) and not _can_run(command.words[0]):
            yield f"{key} of the link {link.name}: {command.words[0]} is no program that can be run"
    if any(isinstance(command, Command) for command in commands.values()) and not _can_run(SESSION):
        yield f"the commands of the link {link.name} need {SESSION}, which is not there"


def _can_run(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
