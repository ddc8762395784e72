"""The whole configuration as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import evolve, field, frozen

from worldmail.config.delivery import DnsSettings, QueueSettings
from worldmail.config.guards import AuthSettings, LimitsSettings, PolicySettings
from worldmail.config.relay import RelaySettings
from worldmail.config.sections import (
    CertificateSettings,
    DatabaseSettings,
    DirectorySettings,
    LogSettings,
    ServerSettings,
    StoreSettings,
    TlsSettings,
)

__all__ = [
    "GENERAL_SECTIONS",
    "AuthSettings",
    "CertificateSettings",
    "DatabaseSettings",
    "DirectorySettings",
    "DnsSettings",
    "LimitsSettings",
    "LogSettings",
    "PolicySettings",
    "QueueSettings",
    "RelaySettings",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "TlsSettings",
    "default_settings",
]

GENERAL_SECTIONS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "server": ServerSettings,
        "tls": TlsSettings,
        "database": DatabaseSettings,
        "store": StoreSettings,
        "directory": DirectorySettings,
        "auth": AuthSettings,
        "limits": LimitsSettings,
        "policy": PolicySettings,
        "queue": QueueSettings,
        "relay": RelaySettings,
        "dns": DnsSettings,
        "log": LogSettings,
    }
)


@frozen(kw_only=True)
class Settings:
    """Every section of the configuration, paths absolute.

    Args:
        content_stores: by the name of each installed content store that has settings of its own, those settings.
        protocols: by the name of each installed protocol, an instance of its own settings class.
        file: the file it was read from, None if from none.
    """

    server: ServerSettings = field(factory=ServerSettings)
    tls: TlsSettings = field(factory=TlsSettings)
    database: DatabaseSettings = field(factory=DatabaseSettings)
    store: StoreSettings = field(factory=StoreSettings)
    directory: DirectorySettings = field(factory=DirectorySettings)
    auth: AuthSettings = field(factory=AuthSettings)
    limits: LimitsSettings = field(factory=LimitsSettings)
    policy: PolicySettings = field(factory=PolicySettings)
    queue: QueueSettings = field(factory=QueueSettings)
    relay: RelaySettings = field(factory=RelaySettings)
    dns: DnsSettings = field(factory=DnsSettings)
    log: LogSettings = field(factory=LogSettings)
    content_stores: Mapping[str, Any] = field(factory=dict)
    protocols: Mapping[str, Any] = field(factory=dict)
    file: Path | None = None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.server.data

    def sections(self) -> dict[str, Any]:
        """Every section by its name in the file: the general ones, then content stores and protocols by name."""
        general = {name: getattr(self, name) for name in GENERAL_SECTIONS}
        stores = {name: self.content_stores[name] for name in sorted(self.content_stores)}
        return general | stores | {name: self.protocols[name] for name in sorted(self.protocols)}


def default_settings(protocol_classes: Mapping[str, type[Any]], data_dir: Path | str) -> Settings:
    """The defaults of everything, with this data directory."""
    settings = Settings(protocols={name: settings_class() for name, settings_class in protocol_classes.items()})
    return evolve(settings, server=ServerSettings(data=Path(data_dir).absolute()))
