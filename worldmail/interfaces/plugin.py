"""What a plugin provides, and what it is given to build its part from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import frozen
from zope.interface import Attribute, Interface

from worldmail.interfaces.database import IChanges, IDatabase
from worldmail.interfaces.directory import IDirectory, IDirectorySource
from worldmail.interfaces.pairs import IPairs
from worldmail.interfaces.policy import IPolicyCheck
from worldmail.interfaces.queue import IRecipientSource, IRoutes
from worldmail.interfaces.store import IContentStore, IMailboxStore
from worldmail.interfaces.world import IClock, IJournal


@frozen(kw_only=True)
class Foundations:
    """What is there before the World is: all that a content store, a source of addresses or a check is built from.

    Args:
        settings: the whole configuration (`worldmail.config.settings.Settings`).
        data: the server's data directory.
        reactor: for timers, threads and transports.
        directory: None while directory sources are built.
        mailboxes, routes, pairs: there for policy checks alone, None while anything else is built.
    """

    settings: Any
    data: Path
    reactor: Any
    clock: IClock
    journal: IJournal
    database: IDatabase
    changes: IChanges
    directory: IDirectory | None = None
    mailboxes: IMailboxStore | None = None
    routes: IRoutes | None = None
    pairs: IPairs | None = None


class IPolicyCheckPlugin(Interface):
    """Makes a policy check. A plugin, found with `twisted.plugin.getPlugins`."""

    name = Attribute("str: its name in the log and in [policy]")
    rank = Attribute("int: its place in the chain; lower ranks are asked first, equal ones by name")

    def create(foundations: Foundations) -> IPolicyCheck:
        """The check."""


class IContentStorePlugin(Interface):
    """Makes a place for large content. A plugin, found with `twisted.plugin.getPlugins`."""

    name = Attribute("str: the value of `content` in [store] that selects it, and the section of its own settings")

    def settings() -> type[Any] | None:
        """The class of its settings, which `Foundations` has at `settings.content_stores[name]`; None: it has none."""

    def check(settings: Any) -> Iterable[str]:
        """What is wrong with where this configuration leads, a sentence each, for `worldmail check`.

        May take some seconds; changes nothing.
        """

    def create(foundations: Foundations) -> IContentStore:
        """The store; opens nothing before its first use."""


class IDirectorySourcePlugin(Interface):
    """Makes a source of the directory. A plugin, found with `twisted.plugin.getPlugins`."""

    name = Attribute("str: its name in `sources` of [directory]")

    def create(foundations: Foundations) -> IDirectorySource:
        """The source."""


class IRecipientSourcePlugin(Interface):
    """Makes a source of the recipients of relay domains. A plugin, found with `twisted.plugin.getPlugins`."""

    name = Attribute("str: its name in `sources` of [relay]")

    def create(foundations: Foundations) -> IRecipientSource:
        """The source; opens nothing before it is first asked."""
