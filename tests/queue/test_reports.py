"""Who is told what of mail in the queue: once, and never lost."""

from __future__ import annotations

from email import message_from_bytes
from typing import Any

import pytest

from worldmail.errors import TemporaryFailure
from worldmail.mail.envelope import Notify
from worldmail.queue import reports as reports_module
from worldmail.queue.telling import SLOWEST
from worldmail.testing.outbound import LATER, NEVER, TAKEN
from worldmail.testing.queue import QueueSite

ALICE = "alice@example.test"
BOB = "bob@there.test"
SUCCESS = {BOB: frozenset({Notify.SUCCESS})}


def site_that_sends(**settings: Any) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    return site


def actions(mail: bytes) -> list[tuple[str, str]]:
    """Recipients and actions that a report tells of."""
    status = next(part for part in message_from_bytes(mail).walk() if part.get_content_type().endswith("-status"))
    fields: Any = status.get_payload()
    return [(block["Final-Recipient"].partition(";")[2].strip(), block["Action"]) for block in fields[1:]]


def test_a_failure_is_reported_at_once_if_nothing_else_of_the_message_is_under_way() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    before = site.node.database.writes
    site.accept(ALICE, BOB)
    assert site.node.database.writes == before + 3, "one for the acceptance, one for the end, one for the report"
    assert actions(site.mail()[0]) == [(BOB, "failed")]
    assert site.rows("SELECT id FROM untold") == [] and site.rows("SELECT id FROM queued") == []


def test_all_failures_of_a_transaction_are_in_one_report() -> None:
    site = site_that_sends()
    site.elsewhere.fates["there.test"] = [NEVER]
    site.accept(ALICE, BOB, "carol@there.test")
    (mail,) = site.mail()
    assert actions(mail) == [(BOB, "failed"), ("carol@there.test", "failed")]


def test_success_is_reported_as_relayed_unless_the_next_server_took_the_wish_over() -> None:
    site = site_that_sends()
    site.accept(ALICE, BOB, notify=SUCCESS)
    assert actions(site.mail()[0]) == [(BOB, "relayed")]
    site.advance(10)
    site.elsewhere.make = lambda conversation: setattr(conversation, "dsn", True)
    site.accept(ALICE, BOB, notify=SUCCESS)
    assert len(site.mail()) == 1


def test_who_wants_no_report_gets_none() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    site.accept(ALICE, BOB, notify={BOB: frozenset({Notify.NEVER})})
    site.accept(ALICE, BOB, notify=SUCCESS)
    assert site.mail() == [] and site.queued() == []


def test_a_sender_is_told_of_a_delay_once_and_then_of_the_end() -> None:
    site = site_that_sends(warn_after=3600, lifetime=20_000)
    site.elsewhere.fates[BOB] = [LATER]
    id_ = site.accept(ALICE, BOB)
    site.advance(7000, step=10)
    assert [actions(mail) for mail in site.mail()] == [[(BOB, "delayed")]]
    site.advance(20_000, step=10)
    assert [actions(mail) for mail in site.mail()] == [[(BOB, "delayed")], [(BOB, "failed")]]
    assert site.events(id_).count("delayed") == 1 and site.events(id_)[-1] == "expired"
    assert site.queued() == [] and site.faults() == []


def test_mail_without_a_sender_is_never_reported_about() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    id_ = site.accept(None, BOB)
    assert site.mail() == [] and site.queued() == [] and site.events(id_) == ["accepted", "failed"]


def test_a_report_that_fails_is_not_reported_and_by_setting_the_postmaster_has_it() -> None:
    for setting, expected in ("discard", 0), ("postmaster", 1):
        site = QueueSite.make(double_failures=setting)
        site.base.memory.directory.domains.append("mail.example.test")
        site.base.memory.add_alias("postmaster@mail.example.test", ALICE)
        site.start()
        site.elsewhere.fates = {BOB: [NEVER], "eve@yonder.test": [NEVER]}
        site.accept("eve@yonder.test", BOB)
        site.advance(5)
        assert len(site.mail()) == expected and site.queued() == []


def test_a_postmaster_elsewhere_who_cannot_be_reached_gets_no_report_about_that() -> None:
    site = QueueSite.make(double_failures="postmaster")
    site.base.memory.directory.domains.append("mail.example.test")
    site.base.memory.add_alias("postmaster@mail.example.test", "admin@away.test")
    site.start()
    site.elsewhere.fates = {"there.test": [NEVER], "away.test": [NEVER], "yonder.test": [NEVER]}
    site.accept("eve@yonder.test", BOB)
    site.advance(60)
    assert site.queued() == [] and [carried.recipients for carried in site.elsewhere.begun] == [
        (BOB,),
        ("eve@yonder.test",),
        ("admin@away.test",),
    ]


def test_a_report_to_a_sender_of_ours_who_is_gone_is_the_postmasters_by_setting_and_lost_otherwise() -> None:
    for setting, expected in ("discard", 0), ("postmaster", 1):
        site = QueueSite.make(double_failures=setting)
        site.base.memory.directory.domains.append("mail.example.test")
        site.base.memory.add_alias("postmaster@mail.example.test", ALICE)
        site.start()
        site.elsewhere.fates[BOB] = [NEVER]
        id_ = site.accept("gone@example.test", BOB)
        assert site.queued() == [] and site.events(id_) == ["accepted", "failed", "unreported"]
        assert '"sender":"gone@example.test"' in site.details(id_, "unreported")[0]
        assert len(site.mail()) == expected
        assert all(b"The sender of the message below cannot be told" in b" ".join(mail.split()) for mail in site.mail())
        assert len(site.journal.named("report.lost")) == 1


def test_a_sender_whose_mailbox_is_full_has_the_report_when_there_is_room_again() -> None:
    site = site_that_sends()
    site.base.add_account("full@example.test", quota=10)
    site.elsewhere.fates[BOB] = [NEVER]
    id_ = site.accept("full@example.test", BOB)
    assert site.events(id_) == ["accepted", "failed"], "what happened is true at once"
    assert site.queued() == [("full@example.test", 0)] and site.mail("full@example.test") == []
    site.base.database.write(lambda cursor: cursor.run("UPDATE account SET quota = NULL"))
    site.advance(400)
    assert len(site.mail("full@example.test")) == 1 and site.queued() == [] and site.faults() == []


def test_a_failure_is_settled_at_once_and_its_report_made_as_soon_as_it_can_be() -> None:
    site = site_that_sends()
    directory = site.base.memory.directory
    site.elsewhere.fates[BOB] = [NEVER]
    directory.fail = TemporaryFailure(reason="no directory")
    id_ = site.accept(ALICE, BOB)
    site.advance(600)
    assert site.queued() == [] and site.events(id_) == ["accepted", "failed"] and site.mail() == []
    assert 5 <= len(site.journal.named("report.waits")) <= 20
    directory.fail = None
    site.advance(SLOWEST + 6)
    assert len(site.mail()) == 1 and site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_success_too_is_told_later_if_it_cannot_be_told_now() -> None:
    site = site_that_sends()
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")
    id_ = site.accept(ALICE, BOB, notify=SUCCESS)
    site.advance(200)
    assert site.queued() == [] and site.events(id_) == ["accepted", "delivered"]
    site.base.memory.directory.fail = None
    site.advance(SLOWEST + 6)
    assert [actions(mail) for mail in site.mail()] == [[(BOB, "relayed")]]
    assert not site.journal.named("report.lost")


def test_a_message_that_no_report_can_be_made_of_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(notice: Any) -> Any:
        raise ValueError("a fault")

    monkeypatch.setattr(reports_module, "compose", broken)
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    id_ = site.accept(ALICE, BOB)
    assert site.queued() == [] and site.events(id_) == ["accepted", "failed", "unreported"]
    assert site.rows("SELECT id FROM queued") == []
    assert [event for event, _ in site.journal.failures] == ["report.failed"]


def test_a_report_to_elsewhere_goes_by_the_same_queue() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER, TAKEN]
    site.accept("eve@yonder.test", BOB)
    assert [address for _, address in site.elsewhere.taken] == ["eve@yonder.test"]
    assert site.elsewhere.begun[-1].shipment.envelope.sender is None and site.queued() == []
