"""The plugin door: how parts of the server, ours and others', are found.

A dropin is a module in a directory `worldmail/plugins/` anywhere on the import
path. It holds instances of the classes here, which name things by their dotted
path, so that finding plugins imports nothing heavy:

    quote = ProtocolPlugin(name="quote", settings="quoteday:QuoteSettings", service="quoteday:quote_service")

The built-in parts go through the same door.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from attrs import field, frozen, validators
from twisted.plugin import IPlugin, getPlugins
from zope.interface import implementer

from worldmail.errors import ConfigurationError
from worldmail.interfaces.directory import IDirectorySource
from worldmail.interfaces.plugin import (
    Foundations,
    IContentStorePlugin,
    IDirectorySourcePlugin,
    IPolicyCheckPlugin,
    IRecipientSourcePlugin,
)
from worldmail.interfaces.policy import IPolicyCheck
from worldmail.interfaces.protocol import IProtocol
from worldmail.interfaces.queue import IRecipientSource
from worldmail.interfaces.store import IContentStore

_NAME = validators.matches_re(r"[a-z][a-z0-9_-]{0,31}")
_PATH = validators.matches_re(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def load(path: str) -> Any:
    """Import what "package.module:name" names.

    Raises: ConfigurationError if the module or the name is not there.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the plugin part {path} cannot be loaded: {error}") from error


def find(interface: Any) -> tuple[Any, ...]:
    """All plugins that provide `interface`, in the order of their names.

    Raises: ConfigurationError if two have the same name.
    """
    # By name: imports go down, and dropins stand above.
    package = importlib.import_module("worldmail.plugins")
    plugins: list[Any] = sorted(getPlugins(interface, package), key=lambda plugin: str(plugin.name))
    for one, other in pairwise(plugins):
        if one.name == other.name:
            raise ConfigurationError(f"two installed plugins are both named {one.name!r}: {one!r} and {other!r}")
    return tuple(plugins)


@implementer(IPlugin, IProtocol)
@frozen(kw_only=True)
class ProtocolPlugin:
    """A protocol.

    Args:
        name: its name, and that of its section in the configuration.
        settings: "package.module:Class" of its settings, see `worldmail.config.fields`.
        service: "package.module:callable"; called with the World and an instance of the settings, gives an `IService`.
    """

    name: str = field(validator=_NAME)
    _settings: str = field(validator=_PATH)
    _service: str = field(validator=_PATH)

    def settings(self) -> type[Any]:
        """See `IProtocol.settings`."""
        loaded: type[Any] = load(self._settings)
        return loaded

    def service(self, world: Any, settings: Any) -> Any:
        """See `IProtocol.service`."""
        return load(self._service)(world, settings)


@implementer(IPlugin, IPolicyCheckPlugin)
@frozen(kw_only=True)
class PolicyPlugin:
    """A policy check.

    Args:
        name: its name in the log and in [policy].
        check: "package.module:callable"; called with `Foundations`, gives an `IPolicyCheck`.
        rank: its place in the chain; lower ranks are asked first, equal ones by name.
    """

    name: str = field(validator=_NAME)
    _check: str = field(validator=_PATH)
    rank: int = 500

    def create(self, foundations: Foundations) -> IPolicyCheck:
        """See `IPolicyCheckPlugin.create`."""
        check: IPolicyCheck = load(self._check)(foundations)
        return check


@implementer(IPlugin, IContentStorePlugin)
@frozen(kw_only=True)
class ContentStorePlugin:
    """A place for large content.

    Args:
        name: the value of `content` in [store] that selects it, and the name of its section in the configuration.
        store: "package.module:callable"; called with `Foundations`, gives an `IContentStore`.
        settings: "package.module:Class" of its settings, if it has any; `store` finds them at
            `foundations.settings.content_stores[name]`.
        check: "package.module:callable", if there is anything to be told beforehand; called with the whole
            configuration, gives sentences, see `IContentStorePlugin.check`.
    """

    name: str = field(validator=_NAME)
    _store: str = field(validator=_PATH)
    _settings: str | None = field(default=None, validator=validators.optional(_PATH))
    _check: str | None = field(default=None, validator=validators.optional(_PATH))

    def settings(self) -> type[Any] | None:
        """See `IContentStorePlugin.settings`."""
        loaded: type[Any] | None = None if self._settings is None else load(self._settings)
        return loaded

    def check(self, settings: Any) -> Iterable[str]:
        """See `IContentStorePlugin.check`."""
        found: Iterable[str] = () if self._check is None else load(self._check)(settings)
        return found

    def create(self, foundations: Foundations) -> IContentStore:
        """See `IContentStorePlugin.create`."""
        store: IContentStore = load(self._store)(foundations)
        return store


@implementer(IPlugin, IDirectorySourcePlugin)
@frozen(kw_only=True)
class DirectorySourcePlugin:
    """Something that knows addresses.

    Args:
        name: its name in `sources` of [directory].
        source: "package.module:callable"; called with `Foundations`, gives an `IDirectorySource`.
    """

    name: str = field(validator=_NAME)
    _source: str = field(validator=_PATH)

    def create(self, foundations: Foundations) -> IDirectorySource:
        """See `IDirectorySourcePlugin.create`."""
        source: IDirectorySource = load(self._source)(foundations)
        return source


@implementer(IPlugin, IRecipientSourcePlugin)
@frozen(kw_only=True)
class RecipientSourcePlugin:
    """Something that knows the recipients of relay domains.

    Args:
        name: its name in `sources` of [relay].
        source: "package.module:callable"; called with `Foundations`, gives an `IRecipientSource`.
    """

    name: str = field(validator=_NAME)
    _source: str = field(validator=_PATH)

    def create(self, foundations: Foundations) -> IRecipientSource:
        """See `IRecipientSourcePlugin.create`."""
        source: IRecipientSource = load(self._source)(foundations)
        return source
