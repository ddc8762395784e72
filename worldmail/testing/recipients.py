"""Recipients of relay domains, in memory."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from attrs import define, field
from zope.interface import implementer

from worldmail.interfaces.queue import IRecipientSource
from worldmail.mail.address import Address
from worldmail.wire.ready import Ready


@implementer(IRecipientSource)
@define(kw_only=True)
class MemoryRecipients:
    """Keys of addresses by domain.

    Args:
        error: raised for these domains, if there is one.
        asked, reloads: what came.
    """

    name: ClassVar[str] = "memory"

    lists: dict[str, set[str]] = field(factory=dict)
    error: Exception | None = None
    asked: list[str] = field(factory=list)
    reloads: list[Any] = field(factory=list)

    def exists(self, address: Address) -> Awaitable[bool | None]:
        """See `IRecipientSource.exists`."""
        self.asked.append(address.key)
        names = self.lists.get(address.domain_key)
        if names is not None and self.error is not None:
            raise self.error
        return Ready(None if names is None else address.key in names)

    def reload(self, settings: Any) -> None:
        """Remember it."""
        self.reloads.append(settings)
