"""The ledger reports every kind of broken promise, and nothing else."""

from __future__ import annotations

import random

import pytest
from oracle.ledger import Ledger
from oracle.letters import Letter, make_letter, stuffed, token_of

A, B = "a@example.test", "b@example.test"
ADDED = b"Return-Path: <x@load.test>\r\nDelivered-To: a@example.test\r\nReceived: from x\r\n\tby y; now\r\n"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def letter(ledger: Ledger) -> Letter:
    made = make_letter("t-1", "x@load.test", (A, B), 3000, random.Random(1))
    ledger.written(made)
    return made


def acknowledge(ledger: Ledger, letter: Letter) -> None:
    ledger.offered(letter, letter.recipients)
    ledger.acknowledged(letter, letter.recipients)


def kinds(ledger: Ledger) -> set[str]:
    return {breach.kind for breach in ledger.close()}


def see(ledger: Ledger, letter: Letter, account: str, uid: str = "1") -> None:
    ledger.sighted(account, uid, ADDED + letter.octets)


def test_an_acknowledged_message_seen_once_by_all_is_no_breach(ledger: Ledger, letter: Letter) -> None:
    acknowledge(ledger, letter)
    see(ledger, letter, A)
    see(ledger, letter, B)
    ledger.present(A, ["1"])
    ledger.present(B, ["1"])
    assert ledger.close() == []


def test_an_acknowledged_message_that_is_nowhere_is_lost(ledger: Ledger, letter: Letter) -> None:
    acknowledge(ledger, letter)
    see(ledger, letter, A)
    assert kinds(ledger) == {"lost"}


def test_a_second_copy_is_a_duplicate(ledger: Ledger, letter: Letter) -> None:
    acknowledge(ledger, letter)
    for uid in "12":
        see(ledger, letter, A, uid)
        see(ledger, letter, B, uid)
    assert kinds(ledger) == {"duplicated"}


def test_a_message_of_unknown_fate_may_be_there_or_not(ledger: Ledger, letter: Letter) -> None:
    ledger.offered(letter, letter.recipients)
    assert ledger.close() == []
    see(ledger, letter, A)
    see(ledger, letter, B)
    assert ledger.close() == []


def test_a_message_of_unknown_fate_for_some_of_its_recipients_is_half_accepted(ledger: Ledger, letter: Letter) -> None:
    ledger.offered(letter, letter.recipients)
    see(ledger, letter, A)
    assert kinds(ledger) == {"half accepted"}


def test_a_refused_message_that_is_there_is_invented(ledger: Ledger, letter: Letter) -> None:
    ledger.refused(letter, [A])
    see(ledger, letter, A)
    assert kinds(ledger) == {"invented"}


def test_an_unsent_message_that_is_there_is_invented(ledger: Ledger, letter: Letter) -> None:
    see(ledger, letter, A)
    assert kinds(ledger) == {"invented"}


def test_a_message_without_a_ledger_line_is_invented(ledger: Ledger) -> None:
    ledger.sighted(A, "1", b"Subject: x\r\nX-Token: t-9\r\n\r\n")
    assert kinds(ledger) == {"invented"}


@pytest.mark.parametrize(
    "change",
    [
        lambda octets: octets[:-2] + b"!\n",
        lambda octets: octets + b"\r\n",
        lambda octets: octets[:-80],
        lambda octets: octets.replace(b"Subject: load", b"Subject: laod"),
        lambda octets: b"\r\n" + octets,
    ],
)
def test_changed_octets_are_a_breach(ledger: Ledger, letter: Letter, change) -> None:  # type: ignore[no-untyped-def]
    ledger.offered(letter, letter.recipients)
    ledger.sighted(A, "1", ADDED + change(letter.octets))
    assert kinds(ledger) & {"changed", "invented"}


def test_a_uid_with_two_bodies_is_reused(ledger: Ledger, letter: Letter) -> None:
    other = make_letter("t-2", "x@load.test", (A,), 2000, random.Random(2))
    ledger.written(other)
    acknowledge(ledger, letter)
    acknowledge(ledger, other)
    see(ledger, letter, A)
    see(ledger, letter, B)
    see(ledger, other, A)
    assert "uid reused" in kinds(ledger)


def test_what_was_seen_and_is_gone_without_a_deletion_vanished(ledger: Ledger, letter: Letter) -> None:
    ledger.offered(letter, letter.recipients)
    see(ledger, letter, A)
    see(ledger, letter, B)
    ledger.present(A, [])
    assert kinds(ledger) == {"vanished"}


def test_what_was_deleted_and_acknowledged_stays_away(ledger: Ledger, letter: Letter) -> None:
    acknowledge(ledger, letter)
    see(ledger, letter, A)
    see(ledger, letter, B)
    ledger.deleting(A, ["1"])
    ledger.deleted(A, ["1"])
    ledger.present(A, [])
    assert ledger.close() == []
    ledger.present(A, ["1"])
    assert kinds(ledger) == {"came back"}


def test_a_quit_without_an_answer_deletes_all_or_nothing(ledger: Ledger) -> None:
    for number in (1, 2):
        made = make_letter(f"t-{number}", "x@load.test", (A,), 2000, random.Random(number))
        ledger.written(made)
        acknowledge(ledger, made)
        see(ledger, made, A, str(number))
    ledger.deleting(A, ["1", "2"])
    ledger.present(A, ["2"])
    assert kinds(ledger) == {"half deletion"}


def test_letters_are_the_same_for_the_same_seed_and_their_own_otherwise() -> None:
    one, same, other = (make_letter("t", "x@load.test", (A,), 5000, random.Random(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one.octets != other.octets
    assert token_of(ADDED + one.octets) == "t"
    assert max(map(len, one.octets.split(b"\r\n"))) < 200
    assert b"\r\n.." in stuffed(one.octets)


def test_a_quit_without_an_answer_that_deleted_nothing_may_be_followed_by_one_that_does(ledger: Ledger) -> None:
    for number in (1, 2):
        made = make_letter(f"t-{number}", "x@load.test", (A,), 2000, random.Random(number))
        ledger.written(made)
        acknowledge(ledger, made)
        see(ledger, made, A, str(number))
    ledger.deleting(A, ["1", "2"])
    ledger.listed(A, ["1", "2"])
    ledger.deleting(A, ["1"])
    ledger.deleted(A, ["1"])
    ledger.present(A, ["2"])
    assert ledger.close() == []
