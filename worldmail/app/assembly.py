"""From settings to a `World`: every room is made here, and rooms meet nowhere else."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from worldmail.config.reader import read_settings
from worldmail.config.settings import Settings
from worldmail.errors import ConfigurationError
from worldmail.interfaces.plugin import Foundations, IContentStorePlugin, IDirectorySourcePlugin
from worldmail.interfaces.protocol import IProtocol
from worldmail.interfaces.world import IJournal, World
from worldmail.plugin import find


def protocol_classes() -> dict[str, type[Any]]:
    """The settings class of every installed protocol, by its name."""
    return {plugin.name: plugin.settings() for plugin in find(IProtocol)}


def read_configuration(file: Path) -> Settings:
    """The configuration in this file, the sections of all installed protocols among it. Raises `ConfigurationError`."""
    return read_settings(file, protocol_classes())
