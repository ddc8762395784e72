"""What a site tells its relay of sizes, while both run."""

from __future__ import annotations

import os
import signal

from tests.app import test_pairs
from tests.app.conftest import until
from tests.app.test_pairs import ALICE, bounds, joined
from worldmail.testing.process import ServerProcess

relay, site = test_pairs.relay, test_pairs.site


def test_how_large_a_message_may_be_is_told_when_it_changes(relay: ServerProcess, site: ServerProcess) -> None:
    joined(relay, site)
    site.configure({"smtp": {"message_size": "70KB"}})
    os.kill(site.pid, signal.SIGHUP)
    until(lambda: bounds(relay) == [(ALICE, 70_000)])
