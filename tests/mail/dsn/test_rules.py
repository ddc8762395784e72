"""Who gets a report on what, and what of the wishes goes on with the mail (RFC 3461)."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve

from worldmail.mail.address import Address
from worldmail.mail.dsn.rules import distributed, forwarded, goes_without_sender, is_reported, returned
from worldmail.mail.dsn.values import Action
from worldmail.mail.envelope import Notify, OriginalRecipient, Recipient, Return

NEVER = frozenset({Notify.NEVER})
SUCCESS = frozenset({Notify.SUCCESS})
FAILURE = frozenset({Notify.FAILURE})
DELAY = frozenset({Notify.DELAY})
FAILED, DELAYED, DELIVERED, RELAYED, EXPANDED = Action
SUCCESSES = (DELIVERED, RELAYED, EXPANDED)
WISHES = [None, NEVER, SUCCESS, FAILURE, DELAY, SUCCESS | FAILURE, FAILURE | DELAY, SUCCESS | FAILURE | DELAY]

ALIAS = Recipient(
    address=Address.parse("team@example.test"),
    original=OriginalRecipient(address_type="rfc822", address="Team@example.test"),
)
ONE, TWO = Address.parse("one@a.test"), Address.parse("two@b.test")


@pytest.mark.parametrize(
    ("notify", "reported"),
    [
        (None, {FAILED, DELAYED}),
        (NEVER, set()),
        (SUCCESS, {*SUCCESSES}),
        (FAILURE, {FAILED}),
        (DELAY, {DELAYED}),
        (SUCCESS | FAILURE, {FAILED, *SUCCESSES}),
        (FAILURE | DELAY, {FAILED, DELAYED}),
        (SUCCESS | FAILURE | DELAY, {*Action}),
        (NEVER | FAILURE, set()),
    ],
)
def test_what_was_wished_is_reported(notify: frozenset[Notify] | None, reported: set[Action]) -> None:
    assert {action for action in Action if is_reported(notify, action, null_sender=False)} == reported


def test_nothing_is_reported_to_nobody() -> None:
    for notify, action in itertools.product(WISHES, Action):
        assert not is_reported(notify, action, null_sender=True)


def test_success_is_the_next_servers_to_report_if_it_took_the_wishes_over() -> None:
    assert not is_reported(SUCCESS, RELAYED, null_sender=False, taken_over=True)
    assert is_reported(SUCCESS, RELAYED, null_sender=False)


def test_failure_and_delay_are_ours_to_report_whoever_took_the_wishes_over() -> None:
    for action in (FAILED, DELAYED):
        assert is_reported(None, action, null_sender=False, taken_over=True)


def test_NEVER_is_said_to_a_server_without_DSN_by_an_empty_reverse_path() -> None:
    assert goes_without_sender(NEVER)
    assert not any(goes_without_sender(notify) for notify in WISHES if notify != NEVER)


@pytest.mark.parametrize("notify", WISHES)
def test_all_wishes_go_on_to_a_single_address_and_nothing_is_reported(notify: frozenset[Notify] | None) -> None:
    alias = evolve(ALIAS, notify=notify)
    done = forwarded(alias, [ONE], null_sender=False)
    assert done.recipients == (evolve(alias, address=ONE),)
    assert done.keeps_envelope and done.report is None


@pytest.mark.parametrize(
    ("notify", "goes_on", "report"),
    [
        (None, None, None),
        (NEVER, NEVER, None),
        (SUCCESS, NEVER, EXPANDED),
        (SUCCESS | DELAY, DELAY, EXPANDED),
        (FAILURE, FAILURE, None),
    ],
)
def test_all_but_SUCCESS_goes_on_to_several_addresses(
    notify: frozenset[Notify] | None, goes_on: frozenset[Notify] | None, report: Action | None
) -> None:
    alias = evolve(ALIAS, notify=notify)
    done = forwarded(alias, [ONE, TWO], null_sender=False)
    assert done.recipients == tuple(evolve(alias, address=target, notify=goes_on) for target in (ONE, TWO))
    assert done.keeps_envelope and done.report is report
    assert forwarded(alias, [ONE, TWO], null_sender=True).report is None


@pytest.mark.parametrize(("notify", "report"), [(None, None), (SUCCESS, DELIVERED), (FAILURE, None), (NEVER, None)])
def test_a_list_is_the_end_of_the_way(notify: frozenset[Notify] | None, report: Action | None) -> None:
    done = distributed(evolve(ALIAS, notify=notify), [ONE, TWO], null_sender=False)
    assert done.recipients == (Recipient(address=ONE), Recipient(address=TWO))
    assert not done.keeps_envelope and done.report is report


@pytest.mark.parametrize(
    ("wish", "actions", "size", "given"),
    [
        (None, {FAILED}, 100, Return.FULL),
        (Return.FULL, {FAILED, DELAYED}, 100, Return.FULL),
        (Return.FULL, {FAILED}, 101, Return.HEADERS),
        (Return.HEADERS, {FAILED}, 100, Return.HEADERS),
        (Return.FULL, {DELAYED}, 100, Return.HEADERS),
        (Return.FULL, {DELIVERED, RELAYED, EXPANDED}, 100, Return.HEADERS),
    ],
)
def test_the_whole_message_comes_back_only_with_a_failure(
    wish: Return | None, actions: set[Action], size: int, given: Return
) -> None:
    assert returned(wish, actions, size=size, limit=100) is given
