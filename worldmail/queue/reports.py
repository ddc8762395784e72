"""Telling senders what became of their mail."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.outbound import RecipientFate
from worldmail.interfaces.store import IAcceptancePart
from worldmail.queue.jobs import Leased, Message
from worldmail.queue.states import Event

if TYPE_CHECKING:
    from worldmail.queue.settling import Transaction


@frozen(kw_only=True)
class Happened:
    """What happened to one recipient."""

    event: Event
    leased: Leased
    fate: RecipientFate


class IReports(Interface):
    """Makes reports."""

    def part(
        message: Message, happened: Sequence[Happened], transaction: Transaction
    ) -> Awaitable[IAcceptancePart | None]:
        """The acceptance of a report to the sender, to be written with what it tells of; None if nobody is to be told.

        Never fails: what cannot be reported is logged.
        """
