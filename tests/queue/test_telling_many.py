"""What is told of thousands of recipients costs little, and each step of it is short."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.queue.test_telling import ALICE, BOB, CAROL, site_that_sends, stalled, told
from worldmail.errors import TemporaryFailure
from worldmail.mail.dsn.compose import compose
from worldmail.mail.dsn.values import Happening, Notice, Report
from worldmail.queue import reports as reports_module
from worldmail.queue import untold as untold_module
from worldmail.queue.untold import MOST, QUIET, SLICE, Outlook, outlook, read_happening
from worldmail.testing.outbound import LATER, NEVER
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle


class Reading:
    """What is decoded, and what is composed, and between which turns of the clock."""

    def __init__(self, site: QueueSite, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoded: Counter[str] = Counter()
        self.steps = [0]  # rows that were decoded, or composed, in each
        self.composed: list[list[str]] = []  # of each report the recipients
        self.sleep = site.clock.sleep
        monkeypatch.setattr(untold_module, "read_happening", self.read)
        monkeypatch.setattr(reports_module, "compose", self.compose)
        monkeypatch.setattr(type(site.clock), "sleep", lambda clock, seconds: self.turn(seconds))

    def read(self, text: str, log_id: str) -> Happening:
        self.decoded[f"{log_id} {text}"] += 1
        self.steps[-1] += 1
        return read_happening(text, log_id)

    def compose(self, notice: Notice) -> Report:
        if len(notice.happenings) > SLICE:
            assert self.steps[-1] == 0, "not in the step in which it was read"
        self.composed.append([str(one.recipient.address) for one in notice.happenings])
        return compose(notice)

    def turn(self, seconds: float) -> Any:
        self.steps.append(0)
        return self.sleep(seconds)


def test_five_thousand_rows_are_decoded_once_and_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_that_sends()
    reading = Reading(site, monkeypatch)
    site.elsewhere.fates["there.test"] = [NEVER]
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 100)
    for message in range(5):
        site.accept(ALICE, *(f"r{message}-{number}@there.test" for number in range(1000)))
    site.advance(60)
    assert all(len(report) <= MOST for report in reading.composed) and len(reading.composed) < 30
    told_of = [address for report in reading.composed for address in report]
    assert len(told_of) == len(set(told_of)) == 5000
    assert site.rows("SELECT count(*) FROM message") == [(len(reading.composed),)]
    assert len(reading.decoded) == 5000 and max(reading.decoded.values()) == 1
    assert max(reading.steps) <= SLICE
    assert site.rows("SELECT id FROM queued") == [] and site.rows("SELECT id FROM untold") == []
    assert site.faults() == []


def test_what_settles_while_more_is_tried_reads_nothing_of_what_is_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_that_sends(connections_per_destination=1)
    reading = Reading(site, monkeypatch)
    site.elsewhere.fates["there.test"] = [NEVER]
    site.elsewhere.stalls = True
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 5)
    site.accept(ALICE, *(f"r{number}@there.test" for number in range(80)))
    for _ in range(15):
        site.elsewhere.conversations[0].proceed()
    assert len(site.rows("SELECT id FROM untold")) == 75 and not reading.decoded
    site.elsewhere.conversations[0].proceed()
    assert [len(report) for report in told(site)] == [80]
    assert len(reading.decoded) == 80 and max(reading.decoded.values()) == 1


def test_what_fills_a_report_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untold_module, "MOST", 10)
    site = site_that_sends(connections_per_destination=1)
    site.elsewhere.fates["there.test"] = [NEVER]
    site.elsewhere.stalls = True
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 6)
    site.accept(ALICE, *(f"r{number}@there.test" for number in range(30)))
    site.elsewhere.conversations[0].proceed()
    assert told(site) == []
    site.elsewhere.conversations[0].proceed()
    assert [len(report) for report in told(site)] == [10]
    site.advance(QUIET)
    assert [len(report) for report in told(site)] == [10, 2], "the others wait for more, but no longer than any"
    for _ in range(3):
        site.elsewhere.conversations[0].proceed()
    assert sorted(len(report) for report in told(site)) == [2, 8, 10, 10] and site.faults() == []


def test_a_report_has_no_more_than_it_can_hold_however_much_servers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untold_module, "ROOM", 1000)
    site = site_that_sends()
    site.elsewhere.fates["there.test"] = [NEVER]
    addresses = [f"{'r' * 50}{number}@there.test" for number in range(20)]
    site.accept(ALICE, *addresses)
    reports = told(site)
    assert len(reports) > 2 and sorted(to for report in reports for to in report) == sorted(addresses)
    assert site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_what_is_larger_than_a_report_can_hold_is_told_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untold_module, "ROOM", 1)
    site = site_that_sends()
    site.elsewhere.fates["there.test"] = [NEVER]
    site.accept(ALICE, BOB, "dan@there.test")
    assert told(site) == [{BOB: "failed"}, {"dan@there.test": "failed"}] and site.faults() == []


def test_a_full_report_that_cannot_be_made_is_not_tried_with_each_that_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untold_module, "MOST", 10)
    site = site_that_sends(connections_per_destination=1)
    reading = Reading(site, monkeypatch)
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")
    site.elsewhere.fates["there.test"] = [NEVER]
    site.elsewhere.stalls = True
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 1)
    site.accept(ALICE, *(f"r{number}@there.test" for number in range(200)))
    for _ in range(199):
        site.elsewhere.conversations[0].proceed()
    assert reading.decoded.total() == 10
    site.base.memory.directory.fail = None
    site.elsewhere.conversations[0].proceed()
    site.advance(10)
    assert sum(map(len, told(site))) == 200 and reading.decoded.total() <= 210 and site.faults() == []


def test_who_is_waited_for_is_found_wherever_the_search_begins() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {BOB: [NEVER], "late.test": [LATER]}
    site.elsewhere.stalls = True
    site.accept(ALICE, "a@late.test", BOB, CAROL, "b@late.test")
    stalled(site, "mx.late.test").proceed()
    stalled(site, "mx.there.test").proceed()
    ((queued_id,),) = site.rows("SELECT DISTINCT queued_id FROM untold")
    ids = {address: id_ for id_, address in site.rows("SELECT id, address FROM recipient")}

    def seen(id_: int) -> Outlook | None:
        now = int(site.clock.now())
        found: Outlook | None = settle(site.base.database.read(lambda cursor: outlook(cursor, queued_id, now, id_)))
        return found

    assert {seen(id_) for id_ in range(max(ids.values()) + 2)} == {Outlook(ids[CAROL])}
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")  # what is to be told stays
    stalled(site, "mx.yonder.test").proceed()
    assert {seen(id_) for id_ in range(max(ids.values()) + 2)} == {Outlook(None)}
