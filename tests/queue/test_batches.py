"""Who wants no reports is sent to from nobody, where nobody else knows that wish (RFC 3461 §5.2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.interfaces.queue import Route, Via
from worldmail.mail.envelope import Notify
from worldmail.testing.outbound import LATER, NEVER, TAKEN, Carried, ScriptedConversation
from worldmail.testing.queue import QueueSite

ALICE = "alice@example.test"
QUIET, QUIETER = "quiet@there.test", "quieter@there.test"
NOBODY = {address: frozenset({Notify.NEVER}) for address in (QUIET, QUIETER)}


def site_that_sends(**conversation: Any) -> QueueSite:
    site = QueueSite.make()

    def make(made: ScriptedConversation) -> None:
        for name, value in conversation.items():
            setattr(made, name, value)

    site.elsewhere.make = make
    site.start()
    return site


def sent(site: QueueSite) -> list[tuple[str, tuple[str, ...]]]:
    """The reverse-path of each transaction, and its recipients."""
    return [(str(carried.shipment.envelope.sender or ""), carried.recipients) for carried in site.elsewhere.begun]


def test_NEVER_goes_in_a_transaction_of_its_own_from_nobody() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test", QUIET, "carol@there.test", QUIETER, notify=NOBODY)
    assert sent(site) == [("", (QUIET, QUIETER)), (ALICE, ("bob@there.test", "carol@there.test"))]
    assert len(site.elsewhere.taken) == 4 and len(site.elsewhere.attempts) == 1
    assert site.queued() == [] and site.faults() == []


def test_a_server_that_knows_DSN_is_told_the_wish_instead() -> None:
    site = site_that_sends(dsn=True)
    site.accept(ALICE, "bob@there.test", QUIET, notify=NOBODY)
    assert sent(site) == [(ALICE, ("bob@there.test", QUIET))]


def test_what_ends_in_mailboxes_by_LMTP_keeps_its_reverse_path() -> None:
    site = site_that_sends()
    site.routes.set(Route(name="boxes", domain="there.test", via=Via.LMTP, host="boxes.test", port=24))
    site.accept(ALICE, QUIET, notify=NOBODY)
    assert sent(site) == [(ALICE, (QUIET,))]


def test_mail_from_nobody_is_not_parted() -> None:
    site = site_that_sends()
    site.accept(None, "bob@there.test", QUIET, notify=NOBODY)
    assert sent(site) == [("", ("bob@there.test", QUIET))]


def test_what_is_refused_from_nobody_goes_with_its_sender_and_only_then_has_failed() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {QUIET: [NEVER, TAKEN], QUIETER: [NEVER]}
    id_ = site.accept(ALICE, QUIET, QUIETER, "bob@there.test", notify=NOBODY)
    assert sent(site) == [("", (QUIET, QUIETER)), (ALICE, (QUIET, QUIETER, "bob@there.test"))]
    assert sorted(site.elsewhere.taken) == [(id_, "bob@there.test"), (id_, QUIET)]
    assert site.queued() == [] and site.mail() == [], "who wants no report gets none"
    assert site.events(id_).count("failed") == 1


@pytest.mark.parametrize("closes", [{"transactions": 1}, {"recipients": 1}, {"recipients": 1, "transactions": 1}])
def test_it_comes_to_an_end_however_little_a_server_takes_at_once(closes: dict[str, int]) -> None:
    site = site_that_sends(**closes)
    site.elsewhere.fates = {QUIET: [NEVER], QUIETER: [TAKEN]}
    site.accept(ALICE, "bob@there.test", QUIET, "carol@there.test", QUIETER, notify=NOBODY)
    site.advance(1)
    assert {address for _, address in site.elsewhere.taken} == {"bob@there.test", "carol@there.test", QUIETER}
    assert len(site.elsewhere.begun) <= 5 and site.queued() == [] and site.faults() == []


def test_a_connection_that_was_closed_while_it_waited_is_no_attempt_of_either() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    site.elsewhere.conversations[0].gone = True
    site.accept(ALICE, "carol@there.test", QUIET, notify=NOBODY)
    assert len(site.elsewhere.taken) == 3 and len(site.elsewhere.attempts) == 2


def test_a_second_server_gets_it_from_nobody_too_and_what_it_refuses_so_with_the_sender() -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = ("mx1.there.test", "mx2.there.test")
    site.elsewhere.fates = {f"mx1.there.test {one}": [LATER] for one in (QUIET, QUIETER, "bob@there.test")}
    site.elsewhere.fates[f"mx2.there.test {QUIETER}"] = [NEVER, TAKEN]
    site.accept(ALICE, QUIET, QUIETER, "bob@there.test", notify=NOBODY)
    second: list[Carried] = [carried for carried in site.elsewhere.begun if carried.server == "mx2.there.test"]
    assert [(carried.shipment.envelope.sender is None, carried.recipients) for carried in second] == [
        (True, (QUIET, QUIETER)),
        (False, (QUIETER, "bob@there.test")),
    ]
    assert len(site.elsewhere.taken) == 3 and site.queued() == []
