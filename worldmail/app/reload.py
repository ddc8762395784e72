"""What a SIGHUP changes, and what waits for the next start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

from worldmail.config.settings import Settings

LIVE = frozenset(
    {
        "tls",
        "log.level",
        "limits.exempt",
        "limits.connections",
        "limits.connections_per_address",
        "limits.tls_per_minute",
        "limits.commands_per_minute",
        "server.shutdown_timeout",
    }
)
"""What of the general sections is taken up without a restart: sections, or single settings."""


@frozen(kw_only=True)
class Difference:
    """One setting that is not what it was: its section and name."""

    section: str
    name: str

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def live(self) -> bool:
        """True if the running server takes it up."""
        return self.section in LIVE or str(self) in LIVE


def differences(old: Settings, new: Settings) -> Iterator[Difference]:
    """Every setting that differs, in the order of the file."""
    before, after = old.sections(), new.sections()
    for section in after:
        for name in _names(after[section]):
            if section not in before or getattr(before[section], name) != getattr(after[section], name):
                yield Difference(section=section, name=name)


def _names(section: Any) -> Iterator[str]:
    return (attribute.name for attribute in attrs.fields(type(section)))
