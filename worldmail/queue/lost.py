"""A report that can never be made: the trace of its message tells so instead."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import IAcceptancePart, ITrace
from worldmail.interfaces.world import IJournal
from worldmail.mail.address import Address
from worldmail.wire.flat_json import FlatJson

UNREPORTED = "unreported"
"""The trace's word for it."""

_to_json = FlatJson(ascii=False).render


@implementer(IAcceptancePart)
@frozen(kw_only=True)
class Lost:
    """What is written in its place.

    Args:
        recipients: whom it would have been on.
        to: whom it would have told.
        instead: a report to another.
    """

    trace: ITrace
    journal: IJournal
    acceptance: str
    at: int
    recipients: tuple[str, ...]
    to: Address
    reason: str
    instead: IAcceptancePart | None = None

    def write(self, cursor: Cursor) -> Any:
        """See `IAcceptancePart.write`."""
        detail = {"to": list(self.recipients), "sender": str(self.to), "said": self.reason}
        self.trace.record(cursor, self.acceptance, self.at, UNREPORTED, (), _to_json(detail))
        return None if self.instead is None else self.instead.write(cursor)

    def accepted(self, result: Any) -> None:
        """See `IAcceptancePart.accepted`."""
        self.journal.record("report.lost", acceptance=self.acceptance, to=str(self.to), reason=self.reason)
        if self.instead is not None:
            self.instead.accepted(result)

    async def dropped(self, refused: bool) -> None:
        """See `IAcceptancePart.dropped`."""
        if self.instead is not None:
            await self.instead.dropped(refused)
