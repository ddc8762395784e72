"""Settings that change while the server sends: SIGHUP."""

from __future__ import annotations

from worldmail.config.delivery import QueueSettings
from worldmail.testing.outbound import LATER, NEVER, TAKEN
from worldmail.testing.queue import QueueSite

ALICE = "alice@example.test"


def change(site: QueueSite, **settings: object) -> None:
    site.node.queue.reload(QueueSettings(**settings), site.elsewhere)


def test_intervals_and_the_time_that_a_message_has_are_those_of_now() -> None:
    site = QueueSite.make(first_retry=10_000, lifetime=5_000)
    site.start()
    site.elsewhere.fates["there.test"] = [LATER]
    change(site, first_retry=60, longest_retry=60, lifetime=100_000)
    site.accept(ALICE, "bob@there.test")
    site.advance(300)
    assert 4 <= len(site.elsewhere.begun) <= 7
    ((expires, now),) = site.rows("SELECT expires, ? FROM recipient", int(site.clock.now()))
    assert expires - now > 90_000


def test_more_connections_are_opened_with_the_next_message_and_fewer_as_those_end() -> None:
    site = QueueSite.make(connections=1, connections_per_destination=1)
    site.start()
    site.accept(ALICE, "first@there.test")
    site.elsewhere.stalls = True
    for i in range(10):
        site.accept(ALICE, f"r{i}@there.test")
    assert site.elsewhere.open == 1
    change(site, connections=4, connections_per_destination=3)
    site.elsewhere.conversations[0].proceed()
    assert site.elsewhere.open == 3
    change(site, connections=4, connections_per_destination=1)
    site.elsewhere.stalls = False
    for conversation in list(site.elsewhere.conversations):
        conversation.proceed()
    site.advance(5)
    assert len(site.elsewhere.taken) == 11 and site.elsewhere.open == 0
    site.elsewhere.stalls = True
    for i in range(5):
        site.accept(ALICE, f"again{i}@there.test")
    assert site.elsewhere.open == 1


def test_who_has_reports_that_fail_and_how_servers_are_found_change_too() -> None:
    site = QueueSite.make()
    site.start()
    site.elsewhere.fates = {"bob@there.test": [NEVER], "carol@there.test": [TAKEN]}
    ways = QueueSite.make().elsewhere
    ways.hosts["there.test"] = ("other.there.test",)
    site.node.queue.reload(QueueSettings(double_failures="postmaster"), ways)
    site.accept(None, "bob@there.test")
    site.advance(10)
    assert site.elsewhere.attempts == ["other.there.test", "mx.mail.example.test"], "the postmaster is told"
