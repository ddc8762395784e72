"""What has waited too long, as the trace tells it."""

from __future__ import annotations

import json

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
