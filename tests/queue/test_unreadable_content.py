"""Messages whose content cannot be read: they stand in nobody's way, and end all the same."""

from __future__ import annotations

from email import message_from_bytes

import pytest

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.outbound import IOutgoingContent
from worldmail.queue.telling import BARE, SLOWEST
from worldmail.testing.outbound import LATER, NEVER
from worldmail.testing.queue import QueueSite

ALICE = "alice@example.test"
BOB = "bob@there.test"
CAROL = "carol@yonder.test"


class Unreadable:
    """In place of what gives content out."""

    def __init__(self, site: QueueSite) -> None:
        self._given = site.node.acceptance.outgoing
        self.ids: set[int] = set()
        site.node.acceptance.outgoing = self.outgoing

    async def outgoing(self, content_id: int) -> IOutgoingContent:
        if content_id in self.ids:
            raise TemporaryFailure(reason=f"content {content_id} cannot be read")
        content: IOutgoingContent = await self._given(content_id)
        return content


def site_with_unreadable_content(**settings: object) -> tuple[QueueSite, Unreadable]:
    site = QueueSite.make(**settings)
    unreadable = Unreadable(site)
    site.start()
    return site, unreadable


def last_content(site: QueueSite) -> int:
    (row,) = site.rows("SELECT max(content_id) FROM queued")
    return int(row[0])


def test_senders_are_told_of_delays_though_of_an_older_message_nothing_can_be_told() -> None:
    site, unreadable = site_with_unreadable_content(warn_after=3600, lifetime=20_000)
    site.elsewhere.fates = {BOB: [LATER], CAROL: [LATER]}
    older = site.accept(ALICE, BOB)
    unreadable.ids.add(last_content(site))
    site.advance(5)
    later = site.accept(ALICE, CAROL)
    site.advance(3700, step=10)
    assert "delayed" in site.events(later) and "delayed" in site.events(older)
    assert len(site.mail()) == 1
    assert {fields["acceptance"] for fields in site.journal.named("report.waits")} == {older}
    site.advance(BARE + SLOWEST)
    assert len(site.mail()) == 2, "without the message, in the end"
    assert site.faults() == []


def test_a_failure_is_reported_without_the_message_if_that_cannot_be_read_for_long() -> None:
    site, unreadable = site_with_unreadable_content()
    site.elsewhere.fates[BOB] = [LATER, NEVER]
    id_ = site.accept(ALICE, BOB)
    site.elsewhere.stalls = True
    site.advance(400, step=1)
    unreadable.ids.add(last_content(site))
    site.elsewhere.conversations[-1].proceed()
    site.advance(60)
    assert site.queued() == [] and site.events(id_)[-1] == "failed", "what happened is true at once"
    assert site.mail() == [], "it may be read again soon"
    site.advance(BARE + SLOWEST)
    (report,) = site.mail()
    parts = message_from_bytes(report).get_payload()
    assert [part.get_content_type() for part in parts] == ["text/plain", "message/delivery-status"]  # type: ignore[union-attr]
    assert site.journal.named("report.waits") and not site.journal.named("report.lost")
    assert site.faults() == []


@pytest.mark.parametrize("readable_after", [60, 300])
def test_a_failure_is_reported_with_the_message_if_that_can_be_read_again(readable_after: int) -> None:
    site, unreadable = site_with_unreadable_content()
    site.elsewhere.fates[BOB] = [NEVER]
    site.elsewhere.stalls = True
    site.accept(ALICE, BOB)
    unreadable.ids.add(last_content(site))
    site.elsewhere.conversations[-1].proceed()
    site.advance(readable_after)
    unreadable.ids.clear()
    site.advance(61)
    (report,) = site.mail()
    assert b"How are you?" in report and site.queued() == []
