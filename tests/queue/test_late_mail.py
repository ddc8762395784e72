"""Mail with a time: held until then, to be delivered by then; and mail that goes first, or in TLS alone."""

from __future__ import annotations

import re

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate, Phase, RecipientFate, Wishes
from worldmail.interfaces.queue import Route, Via
from worldmail.interfaces.resting import Behind
from worldmail.interfaces.store import Acceptance
from worldmail.mail.envelope import Notify, Return
from worldmail.queue.resting import Resting
from worldmail.testing.outbound import LATER, NEVER
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE, BOB = "alice@example.test", "bob@there.test"
HOUR, DAY = 3600, 86400


def site_that_sends(**settings: object) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    return site


def in_seconds(site: QueueSite, seconds: int, mode: str, *, trace: bool = False) -> Wishes:
    """DELIVERBY."""
    return Wishes(deliver_by=(int(site.clock.now()) + seconds, mode), trace_by=trace)


def reports(site: QueueSite) -> list[tuple[str, str]]:
    """What the sender was told: action and status of each report."""
    told = []
    for text in site.mail():
        action, status = re.search(rb"\r\nAction: (\S+)", text), re.search(rb"\r\nStatus: (\S+)", text)
        assert action is not None and status is not None
        told.append((action[1].decode(), status[1].decode()))
    return told


# --- held --------------------------------------------------------------------------------------


def test_mail_that_is_held_goes_when_its_time_has_come_and_nobody_is_warned_before() -> None:
    site = site_that_sends(warn_after=4.0 * HOUR)
    id_ = site.accept(ALICE, BOB, not_before=int(site.clock.now()) + DAY, wishes=Wishes(release="for;86400"))
    site.advance(DAY - 10, step=300)
    assert (site.elsewhere.attempts, site.mail()) == ([], [])
    assert site.queued() == [(BOB, 0)]
    site.advance(60)
    assert site.elsewhere.taken == [(id_, BOB)]
    assert (site.queued(), site.faults()) == ([], [])


def test_time_for_mail_that_was_held_counts_from_its_release() -> None:
    site = site_that_sends(warn_after=4.0 * HOUR, lifetime=5.0 * DAY)
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, BOB, not_before=int(site.clock.now()) + DAY, wishes=Wishes(release="for;86400"))
    site.advance(DAY + 3 * HOUR, step=60)
    assert len(site.elsewhere.begun) > 2 and reports(site) == []
    site.advance(2 * HOUR, step=60)
    assert reports(site) == [("delayed", "4.4.7")]
    assert b"\r\nFuture-Release-Request: for;86400\r\n" in site.mail()[0]
    site.advance(4 * DAY, step=600)
    assert reports(site) == [("delayed", "4.4.7")]
    site.advance(DAY, step=600)
    assert reports(site) == [("delayed", "4.4.7"), ("failed", "4.4.7")]
    assert site.faults() == []


def test_mail_for_a_mailbox_here_is_held_too() -> None:
    site = site_that_sends()
    id_ = site.accept("eve@far.test", ALICE, not_before=int(site.clock.now()) + HOUR, here=True)
    site.advance(HOUR - 10, step=60)
    assert site.mail() == []
    site.advance(60)
    assert len(site.mail()) == 1
    assert set(site.events(id_)) == {"accepted", "delivered"}
    assert (site.queued(), site.faults()) == ([], [])


def test_an_alias_is_followed_when_the_mail_is_released_and_success_is_told_then() -> None:
    site = site_that_sends()
    site.base.memory.add_alias("team@example.test", "gone@example.test")
    team = {"team@example.test": frozenset({Notify.SUCCESS})}
    when = int(site.clock.now()) + HOUR
    id_ = site.accept(ALICE, "team@example.test", not_before=when, here=True, notify=team)
    site.advance(HOUR / 2, step=60)
    site.base.memory.add_alias("team@example.test", BOB, "carol@yonder.test")
    site.advance(HOUR, step=60)
    assert sorted(site.elsewhere.taken) == [(id_, BOB), (id_, "carol@yonder.test")]
    assert [action for action, _ in reports(site)] == ["expanded"]
    assert (site.queued(), site.faults()) == ([], [])


def test_mail_that_is_held_outlives_its_process() -> None:
    site = site_that_sends()
    id_ = site.accept(ALICE, BOB, not_before=int(site.clock.now()) + HOUR)
    site.node.crash()
    site.restart()
    site.advance(HOUR - 10, step=60)
    assert site.elsewhere.attempts == []
    site.advance(60)
    assert site.elsewhere.taken == [(id_, BOB)]


def link_down(site: QueueSite, seconds: float) -> None:
    """The link of all that no route is for is down for so long."""
    resting = Resting(database=site.base.database, now=site.clock.now)
    settle(resting.follow({"": Behind(since=int(site.clock.now()))}))
    site.advance(seconds, step=60)
    settle(resting.follow({"": Behind()}))


def test_mail_that_is_held_is_held_though_a_link_comes_back() -> None:
    site = site_that_sends(lifetime=2.0 * HOUR)
    id_ = site.accept(ALICE, BOB, not_before=int(site.clock.now()) + 3 * HOUR)
    link_down(site, HOUR)
    site.advance(HOUR, step=60)
    assert site.elsewhere.attempts == []
    link_down(site, 2 * HOUR)
    site.advance(60)
    assert site.elsewhere.taken == [(id_, BOB)]
    assert site.faults() == []


def test_the_time_that_a_link_is_down_counts_for_nobody_but_who_named_a_time() -> None:
    site = site_that_sends(lifetime=2.0 * HOUR, warn_after=0.0)
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, "plain@there.test")
    site.accept(ALICE, "return@there.test", wishes=in_seconds(site, HOUR, "R"))
    site.accept(ALICE, "tell@there.test", wishes=in_seconds(site, HOUR, "N"))
    link_down(site, 4 * HOUR)
    site.advance(60)
    assert sorted(reports(site)) == [("delayed", "4.4.7"), ("failed", "5.4.7")]
    assert sorted(site.queued()) == [("plain@there.test", 0), ("tell@there.test", 0)]
    site.advance(3 * HOUR, step=60)
    assert sorted(reports(site)) == [("delayed", "4.4.7"), *[("failed", "4.4.7")] * 2, ("failed", "5.4.7")]
    assert (site.queued(), site.faults()) == ([], [])


# --- in time -----------------------------------------------------------------------------------


def test_what_is_late_is_returned_if_that_was_asked_for_and_not_tried_after() -> None:
    site = site_that_sends(first_retry=60.0)
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, BOB, wishes=in_seconds(site, 600, "R"))
    site.advance(590)
    assert reports(site) == []
    site.advance(60)
    assert reports(site) == [("failed", "5.4.7")]
    assert b"\r\nDeliver-By-Date: " in site.mail()[0]
    tried = len(site.elsewhere.begun)
    site.advance(DAY, step=300)
    assert len(site.elsewhere.begun) == tried
    assert (site.queued(), site.faults()) == ([], [])


def test_what_is_late_while_nobody_can_be_reached_is_returned_too() -> None:
    site = site_that_sends()
    site.routes.set(Route(name="away", domain="there.test", via=Via.HOST, host="away.test", port=25))
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, BOB, wishes=in_seconds(site, 30, "R"))
    site.advance(120)
    assert reports(site) == [("failed", "5.4.7")]


def test_who_asked_to_be_told_is_told_once_that_the_time_has_passed_and_it_goes_on() -> None:
    site = site_that_sends(first_retry=60.0, warn_after=0.0, lifetime=2.0 * DAY)
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, BOB, wishes=in_seconds(site, 600, "N"))
    site.advance(590)
    assert reports(site) == []
    site.advance(60)
    assert reports(site) == [("delayed", "4.4.7")]
    site.advance(DAY, step=300)
    assert (reports(site), site.queued()) == ([("delayed", "4.4.7")], [(BOB, 0)])
    site.advance(DAY + HOUR, step=300)
    assert reports(site) == [("delayed", "4.4.7"), ("failed", "4.4.7")]


def test_the_time_is_told_of_though_there_was_a_warning_before() -> None:
    site = site_that_sends(warn_after=float(HOUR))
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, BOB, wishes=in_seconds(site, 6 * HOUR, "N"))
    site.advance(5 * HOUR, step=60)
    assert reports(site) == [("delayed", "4.4.7")]
    site.advance(2 * HOUR, step=60)
    assert reports(site) == [("delayed", "4.4.7")] * 2
    site.advance(2 * DAY, step=600)
    assert reports(site) == [("delayed", "4.4.7")] * 2


def test_a_time_that_passes_while_the_process_is_gone_is_told_of() -> None:
    site = site_that_sends(warn_after=0.0)
    site.elsewhere.stalls = True
    site.accept(ALICE, BOB, wishes=in_seconds(site, 600, "N"))
    site.node.crash()
    site.advance(900)
    site.elsewhere.stalls, site.elsewhere.fates = False, {"there.test": [LATER]}
    site.restart()
    site.advance(120)
    assert reports(site) == [("delayed", "4.4.7")]


def test_of_what_came_late_nobody_is_told_again() -> None:
    site = site_that_sends(warn_after=0.0)
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, BOB, wishes=in_seconds(site, -60, "N"))
    site.advance(6 * HOUR, step=60)
    assert reports(site) == []


def test_never_means_never() -> None:
    site = site_that_sends(first_retry=60.0)
    site.elsewhere.fates = {"there.test": [LATER]}
    never = {BOB: frozenset({Notify.NEVER})}
    site.accept(ALICE, BOB, wishes=in_seconds(site, 600, "R", trace=True), notify=never)
    site.accept(
        ALICE,
        "carol@yonder.test",
        wishes=in_seconds(site, 600, "N", trace=True),
        notify={"carol@yonder.test": frozenset({Notify.NEVER})},
    )
    site.advance(HOUR, step=60)
    assert (reports(site), site.queued()) == ([], [])


@pytest.mark.parametrize(
    ("mode", "trace", "knows", "told"),
    [
        ("N", False, False, [("relayed", "2.0.0")]),
        ("N", False, True, []),
        ("N", True, True, [("relayed", "2.0.0")]),
        ("R", False, True, []),
        ("R", True, True, [("relayed", "2.0.0")]),
    ],
)
@pytest.mark.parametrize("dsn", [False, True])
def test_what_goes_on_is_told_of_where_it_is_traced_or_its_time_is_not_known(
    mode: str, trace: bool, knows: bool, told: list[tuple[str, str]], dsn: bool
) -> None:
    site = site_that_sends()

    def make(conversation: object) -> None:
        conversation.deliver_by, conversation.dsn = knows, dsn  # type: ignore[attr-defined]

    site.elsewhere.make = make
    site.accept(ALICE, BOB, wishes=in_seconds(site, 600, mode, trace=trace))
    site.advance(1)
    assert reports(site) == told


def test_of_what_went_on_late_there_was_a_report_on_its_delay() -> None:
    """RFC 2852 §4.1.4.2: only what is relayed before its time to who does not know of it is told of."""
    site = site_that_sends(first_retry=60.0, warn_after=0.0)
    site.elsewhere.fates = {"there.test": [LATER]}
    site.accept(ALICE, BOB, wishes=in_seconds(site, 90, "N"))
    site.advance(600, step=10)
    site.elsewhere.fates = {}
    site.advance(DAY, step=60)
    assert (reports(site), site.queued()) == ([("delayed", "4.4.7")], [])


def test_mail_without_such_a_time_is_told_of_as_before() -> None:
    site = site_that_sends()
    site.accept(ALICE, BOB)
    site.accept(ALICE, BOB, notify={BOB: frozenset({Notify.SUCCESS})})
    site.advance(1)
    assert reports(site) == [("relayed", "2.0.0")]


# --- first ---------------------------------------------------------------------------------------


def test_what_is_urgent_goes_first_and_what_can_wait_last() -> None:
    site = site_that_sends(connections_per_destination=1)
    site.elsewhere.stalls = True
    site.accept(ALICE, "first@there.test")
    for name, priority in (("plain", None), ("low", -4), ("second", 0), ("high", 4), ("lower", -9), ("higher", 9)):
        site.accept(ALICE, f"{name}@there.test", wishes=Wishes(priority=priority))
    site.elsewhere.stalls = False
    site.elsewhere.conversations[0].proceed()
    site.advance(5)
    assert [carried.recipients[0].partition("@")[0] for carried in site.elsewhere.begun] == [
        "first",
        "higher",
        "high",
        "plain",
        "second",
        "low",
        "lower",
    ]


def test_what_is_urgent_is_taken_before_what_waits_longer() -> None:
    site = QueueSite.make(connections_per_destination=1)
    for number in range(80):
        site.accept(ALICE, f"n{number}@there.test", wishes=Wishes(priority=0 if number % 2 else None))
    site.advance(60)
    site.accept(ALICE, "urgent@there.test", wishes=Wishes(priority=1))
    site.accept(ALICE, "low@there.test", wishes=Wishes(priority=-1))
    site.start()
    site.advance(60)
    order = [address.partition("@")[0] for _, address in site.elsewhere.taken]
    assert (order[0], order[-1], len(order)) == ("urgent", "low", 82)
    assert site.faults() == []


@pytest.mark.parametrize("priority", [None, -4, 9])
def test_a_report_has_the_priority_of_its_message(priority: int | None) -> None:
    """RFC 6710 §4.6."""
    site = site_that_sends()
    site.elsewhere.fates = {"there.test": [NEVER]}
    site.accept("eve@far.test", BOB, wishes=Wishes(priority=priority))
    site.advance(1)
    report = site.elsewhere.begun[1]
    assert report.recipients == ("eve@far.test",)
    assert report.shipment.wishes == Wishes(priority=priority)


# --- in TLS ----------------------------------------------------------------------------------------


def test_a_report_on_mail_that_requires_TLS_requires_it_too_and_has_the_header_alone() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {"there.test": [NEVER]}
    given: Acceptance = site.acceptance("eve@far.test", BOB, wishes=Wishes(require_tls=True))
    given = evolve(given, envelope=evolve(given.envelope, returns=Return.FULL))
    settle(site.node.acceptance.accept(given))
    site.advance(1)
    first, report = site.elsewhere.begun
    assert first.shipment.wishes.require_tls and not first.shipment.bounce
    assert report.shipment.bounce, "it rather goes without than not at all"
    assert report.recipients == ("eve@far.test",)
    assert report.shipment.wishes == Wishes(require_tls=True)
    assert b"Subject: hello" in report.octets
    assert b"How are you?" not in report.octets


def test_mail_that_requires_TLS_and_cannot_have_it_comes_back_at_once() -> None:
    site = site_that_sends()
    reason = "The message requires TLS all the way, which cannot be had with this server"
    fate = RecipientFate(fate=Fate.FAILED, status="5.7.30", phase=Phase.MAIL, reason=reason)
    site.elsewhere.fates = {"there.test": [fate]}
    site.accept(ALICE, BOB, wishes=Wishes(require_tls=True))
    site.advance(1)
    assert reports(site) == [("failed", "5.7.30")]
    assert b"How are you?" not in site.mail()[0]
    assert (site.queued(), site.faults()) == ([], [])
