"""What has waited too long, as the trace and reports tell it."""

from __future__ import annotations

import json
import re

import pytest

from worldmail.interfaces.outbound import Fate, HopFailed, Phase, Trouble
from worldmail.mail.dates import date_time
from worldmail.queue.service import LATELY
from worldmail.testing.outbound import LATER, no_connection
from worldmail.testing.queue import QueueSite

ALICE, DEAD, BUSY = "alice@example.test", "x@dead.test", "x@busy.test"


def test_recipients_that_wait_for_different_reasons_are_told_of_each_with_its_own() -> None:
    site = QueueSite.make(lifetime=10_000, warn_after=3000)
    site.start()
    site.elsewhere.down["dead.test"] = no_connection()
    site.elsewhere.fates["busy.test"] = [LATER]
    id_ = site.accept(ALICE, DEAD, BUSY, "y@busy.test")
    site.advance(4000, step=20)
    told = {tuple(one["to"]): one["said"] for one in map(json.loads, site.details(id_, "delayed"))}
    busy, dead = (BUSY, "y@busy.test"), (DEAD,)
    assert set(told) == {busy, dead}
    assert told[busy].startswith("450 4.2.1") and not told[dead].startswith("4")
    site.advance(8000, step=20)
    for one in map(json.loads, site.details(id_, "expired")):
        assert one["said"] == told[busy if BUSY in one["to"] or "y@busy.test" in one["to"] else dead]
    assert site.queued() == [] and site.faults() == []


def told(site: QueueSite, recipient: str) -> list[dict[str, str]]:
    """The fields of each report on this recipient."""
    found = []
    for text in site.mail():
        for part in re.findall(rb"\r\nFinal-Recipient: .*?\r\n\r\n", text, re.DOTALL):
            fields = dict(re.findall(r"([\w-]+): (.*?)\r\n", part.decode()))
            if fields["Final-Recipient"] == f"rfc822; {recipient}":
                found.append(fields)
    return found


def tried(site: QueueSite, id_: str) -> str:
    """When the last attempt was made, as reports write it; that may have been the moment in which it was given up."""
    found = site.rows("SELECT at, detail FROM trace WHERE acceptance = ? AND event IN ('deferred', 'expired')", id_)
    return date_time(max(at for at, detail in found if json.loads(detail).get("server")))


@pytest.mark.parametrize("passed", [4000, 11_000])
def test_reports_of_what_waits_say_which_server_was_tried_last_and_when_and_what_it_said(passed: int) -> None:
    site = QueueSite.make(lifetime=10_000, warn_after=3000, first_retry=2000, longest_retry=2000)
    site.start()
    site.elsewhere.down["dead.test"] = no_connection("mx.dead.test[192.0.2.1]:25")
    site.elsewhere.fates["busy.test"] = [LATER]
    dead, busy = site.accept(ALICE, DEAD), site.accept(ALICE, BUSY)
    reports = 2 if passed < 10_000 else 4
    while site.clock.now() < 1_900_000_000 + passed and len(site.mail()) < reports:
        site.advance(20)
    for id_, recipient, server, said in (
        (dead, DEAD, "dns; mx.dead.test", "x-worldmail; Nobody answers"),
        (busy, BUSY, "dns; mx.busy.test", "smtp; 450 4.2.1 Later"),
    ):
        last = told(site, recipient)[-1]
        assert last["Action"] == ("delayed" if passed < 10_000 else "failed")
        shown = last.get("Remote-MTA"), last.get("Diagnostic-Code"), last.get("Last-Attempt-Date")
        assert shown == (server, said, tried(site, id_))


def test_of_mail_for_which_no_server_was_found_none_is_named() -> None:
    site = QueueSite.make(lifetime=10_000, warn_after=3000)
    site.start()
    nothing = Trouble(fate=Fate.DEFERRED, status="4.4.3", phase=Phase.NAME, server="dead.test", reason="No answer")
    site.elsewhere.down["dead.test"] = HopFailed(nothing)
    site.accept(ALICE, DEAD)
    site.advance(4000, step=20)
    (report,) = told(site, DEAD)
    assert report["Diagnostic-Code"] == "x-worldmail; No answer"
    assert "Remote-MTA" not in report and "Last-Attempt-Date" in report


def test_of_a_try_that_ended_with_its_server_nothing_is_told_that_an_earlier_one_found() -> None:
    site = QueueSite.make(lifetime=10_000, warn_after=3000)
    site.start()
    site.elsewhere.fates["busy.test"] = [LATER]
    site.accept(ALICE, BUSY)
    site.advance(10)
    site.elsewhere.stalls = True
    site.advance(400)
    assert site.queued() == [(BUSY, 2)]
    site.node.crash()
    site.elsewhere.stalls = False
    site.elsewhere.stalls_at_connect = True
    site.restart()
    site.advance(4)
    ((reply, server, at),) = site.rows("SELECT reply, server, tried FROM recipient")
    assert reply.startswith("The server stopped") and (server, at) == (None, None)
    assert site.faults() == []


@pytest.mark.parametrize("began", range(0, 30, 4))
def test_a_short_time_until_senders_are_told_is_kept_whenever_the_message_came(began: int) -> None:
    site = QueueSite.make(lifetime=20, warn_after=10)
    site.start()
    site.elsewhere.down["dead.test"] = no_connection()
    site.advance(began)
    site.accept(ALICE, DEAD)
    for action, seconds in (("delayed", 10), ("failed", 20)):
        site.advance(1_900_000_000 + began + seconds - site.clock.now())
        site.advance(LATELY + 1)
        assert [one["Action"] for one in told(site, DEAD)][-1:] == [action]
    assert site.queued() == [] and site.faults() == []
