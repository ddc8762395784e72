"""What happens to a message within a short time is told in one report; whatever stops when, once and never lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.queue.test_reports import actions
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.queue import Selection
from worldmail.mail.address import Address
from worldmail.mail.dsn.values import Action, Happening
from worldmail.mail.envelope import Notify, OriginalRecipient, Recipient
from worldmail.queue import untold as untold_module
from worldmail.queue.telling import SLOWEST
from worldmail.queue.untold import LONGEST, QUIET, read_happening, read_untold, write_happening
from worldmail.testing.outbound import LATER, NEVER, no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
BOB = "bob@there.test"
CAROL = "carol@yonder.test"
BOTH = frozenset({Notify.SUCCESS, Notify.FAILURE})


def site_that_sends(**settings: Any) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    return site


class Overtaken:
    """A database behind whose back something is done once, after a read of what is to be told."""

    def __init__(self, inner: Any, then: Callable[[], object]) -> None:
        self._inner, self._then = inner, [then]

    def read(self, unit: Any) -> Any:
        done = self._inner.read(unit)
        if unit.func is read_untold and self._then:
            self._then.pop()()
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def stalled(site: QueueSite, host: str) -> Any:
    return next(one for one in site.elsewhere.conversations if one.hop.host == host)


def told(site: QueueSite) -> list[dict[str, str]]:
    """Of each report the recipients and their actions."""
    return [dict(actions(mail)) for mail in site.mail()]


def test_a_hundred_recipients_at_a_server_that_takes_three_at_a_time_make_one_report() -> None:
    site = site_that_sends()
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 3)
    site.elsewhere.fates["there.test"] = [NEVER]
    addresses = [f"r{number}@there.test" for number in range(100)]
    site.accept(ALICE, *addresses)
    site.advance(QUIET)
    assert len(site.elsewhere.begun) == 34
    assert told(site) == [dict.fromkeys(addresses, "failed")]
    assert site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_twenty_bad_addresses_at_twenty_domains_make_one_report() -> None:
    site = site_that_sends()
    addresses = [f"r@domain{number}.test" for number in range(20)]
    site.elsewhere.fates = {address: [NEVER] for address in addresses}
    site.elsewhere.stalls = True
    site.accept(ALICE, *addresses)
    for conversation in list(site.elsewhere.conversations):
        assert site.mail() == []
        conversation.proceed()
    assert told(site) == [dict.fromkeys(addresses, "failed")], "with the last of them, at once"


def test_a_failure_does_not_wait_long_for_what_takes_long() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    site.elsewhere.stalls = True
    site.accept(ALICE, BOB, CAROL)
    stalled(site, "mx.there.test").proceed()
    assert site.mail() == [], "the other may fail as well"
    site.advance(2 * QUIET + 1)
    assert told(site) == [{BOB: "failed"}] and site.queued() == [(CAROL, 2)]
    stalled(site, "mx.yonder.test").proceed()
    assert len(site.mail()) == 1 and site.queued() == [] and site.faults() == []


def test_what_comes_one_after_another_is_waited_for_but_not_for_ever() -> None:
    site = site_that_sends(connections_per_destination=1)
    site.elsewhere.fates["there.test"] = [NEVER]
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 1)
    site.elsewhere.stalls = True
    site.accept(ALICE, *(f"r{number}@there.test" for number in range(10)))
    for _ in range(10):
        site.advance(QUIET - 1)
        site.elsewhere.conversations[0].proceed()
    site.advance(1)
    sizes = [len(report) for report in told(site)]
    assert sum(sizes) == 10 and len(sizes) == 2 and sizes[0] >= LONGEST // QUIET


def test_failure_and_success_share_a_report_and_one_that_waits_holds_up_nothing() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {BOB: [NEVER], "dan@late.test": [LATER]}
    site.elsewhere.stalls = True
    notify = dict.fromkeys((BOB, CAROL, "dan@late.test"), BOTH)
    site.accept(ALICE, BOB, CAROL, "dan@late.test", notify=notify)
    for conversation in list(site.elsewhere.conversations):
        conversation.proceed()
    assert told(site) == [{BOB: "failed", CAROL: "relayed"}] and site.queued() == [("dan@late.test", 0)]


def test_a_destination_that_rests_is_not_waited_for() -> None:
    site = site_that_sends()
    site.elsewhere.down["yonder.test"] = no_connection()
    site.accept(ALICE, CAROL)
    site.elsewhere.fates[BOB] = [NEVER]
    site.accept(ALICE, BOB, CAROL)
    assert told(site) == [{BOB: "failed"}]


def test_all_that_is_given_up_at_once_is_in_one_report() -> None:
    site = site_that_sends(warn_after=3600, lifetime=7200)
    site.elsewhere.fates["there.test"] = [LATER]
    addresses = [f"r{number}@there.test" for number in range(130)]
    site.accept(ALICE, *addresses)
    site.advance(7400, step=10)
    assert told(site) == [dict.fromkeys(addresses, "delayed"), dict.fromkeys(addresses, "failed")]
    assert site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_a_report_has_so_many_recipients_and_the_next_one_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untold_module, "MOST", 3)
    site = site_that_sends()
    site.elsewhere.fates["there.test"] = [NEVER]
    site.accept(ALICE, *(f"r{number}@there.test" for number in range(7)))
    assert [len(report) for report in told(site)] == [3, 3, 1] and site.faults() == []


def test_of_what_has_failed_no_delay_is_told_any_more() -> None:
    site = site_that_sends(warn_after=60, lifetime=3600)
    site.elsewhere.fates[BOB] = [LATER, NEVER]
    site.accept(ALICE, BOB)
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")
    site.advance(1000, step=5)
    assert site.queued() == [] and site.mail() == []
    site.base.memory.directory.fail = None
    site.advance(SLOWEST + 10)
    assert told(site) == [{BOB: "failed"}]


def test_a_message_stays_until_its_sender_is_told_whatever_becomes_of_the_rest() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    site.elsewhere.stalls = True
    site.accept(ALICE, BOB, CAROL)
    stalled(site, "mx.there.test").proceed()
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")
    stalled(site, "mx.yonder.test").proceed()
    assert site.queued() == [] and len(site.rows("SELECT id FROM queued")) == 1 and site.faults() == []
    assert settle(site.admin.counters()).untold == 1
    site.base.memory.directory.fail = None
    site.advance(10)
    assert b"How are you?" in site.mail()[0] and site.rows("SELECT id FROM queued") == []


def test_what_a_process_that_died_had_to_tell_another_tells_once() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    site.elsewhere.stalls = True
    site.accept(ALICE, BOB, CAROL)
    stalled(site, "mx.there.test").proceed()
    site.node.crash()
    site.elsewhere.stalls = False
    site.restart()
    site.advance(60)
    assert told(site) == [{BOB: "failed"}]
    assert [address for _, address in site.elsewhere.taken] == [CAROL] and site.faults() == []


def test_a_report_that_came_about_though_nobody_could_tell_is_not_made_again() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    site.elsewhere.stalls = True
    site.accept(ALICE, BOB)
    site.node.database.vanishing = 2  # what became of it is tried again, and found done; and so is the report
    site.elsewhere.conversations[0].proceed()
    site.advance(60)
    assert told(site) == [{BOB: "failed"}] and site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_two_who_tell_at_the_same_time_make_one_report() -> None:
    site = site_that_sends()
    second = site.add_node()
    second.start()
    site.elsewhere.fates[BOB] = [NEVER]
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")
    site.accept(ALICE, BOB, node=site.nodes[0])
    site.base.memory.directory.fail = None
    first, other = site.nodes[0].queue.teller, second.queue.teller
    ((queued_id,),) = site.rows("SELECT queued_id FROM untold")
    overtaken: Any = Overtaken(first.database, lambda: settle(other._tell(queued_id)))
    first.database = overtaken
    settle(first._tell(queued_id))
    assert told(site) == [{BOB: "failed"}] and site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_what_another_has_told_is_not_remembered() -> None:
    site = site_that_sends()
    site.elsewhere.fates[BOB] = [NEVER]
    site.elsewhere.stalls = True
    site.accept(ALICE, BOB, CAROL)
    stalled(site, "mx.there.test").proceed()
    first = site.node.queue.teller
    second = site.add_node().queue.teller
    site.clock.turned.rightNow += QUIET + 1  # nobody is woken by that
    assert first._pending
    settle(second.round())
    assert told(site) == [{BOB: "failed"}] and first._pending
    settle(first.round())
    assert not first._pending and len(site.mail()) == 1


def test_a_hundred_messages_that_cannot_be_told_of_are_no_trouble_and_none_is_forgotten() -> None:
    site = site_that_sends()
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")
    site.elsewhere.fates["there.test"] = [NEVER]
    for number in range(120):
        site.accept(ALICE, f"r{number}@there.test")
    site.advance(300)
    assert site.queued() == [] and site.mail() == []
    site.base.memory.directory.fail = None
    site.advance(2 * SLOWEST)
    assert len(site.mail()) == 120 and site.rows("SELECT id FROM untold") == [] and site.faults() == []


def test_who_is_removed_by_an_administrator_comes_into_the_report_that_is_still_to_be_made() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {BOB: [NEVER], CAROL: [LATER]}
    site.base.memory.directory.fail = TemporaryFailure(reason="no directory")
    site.accept(ALICE, BOB, CAROL)
    site.base.memory.directory.fail = None
    assert settle(site.admin.remove(Selection(recipient=CAROL), True)) == 1
    site.advance(60)
    assert sorted(map(sorted, told(site))) == [[BOB, CAROL]]
    assert site.rows("SELECT id FROM queued") == [] and site.faults() == []


def test_a_row_keeps_all_of_what_happened() -> None:
    recipient = Recipient(
        address=Address.parse("bøb@there.test"),
        notify=BOTH,
        original=OriginalRecipient(address_type="rfc822", address="b@x.test"),
    )
    for action in Action:
        full = Happening(
            recipient=recipient,
            action=action,
            status="5.1.1",
            reason="Nö",
            server="mx.there.test",
            reply="550 5.1.1 Nobody",
            last_attempt=7,
            retry_until=8,
            log_id="ID1",
        )
        bare = Happening(recipient=Recipient(address=recipient.address), action=action, status="4.0.0", log_id="ID1")
        for happening in (full, bare):
            assert read_happening(write_happening(happening), "ID1") == happening
