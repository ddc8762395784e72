"""Sorting the mail of a domain-wide mailbox: whom a message is for, what told, and how sure that is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.address import Address
from worldmail.mail.header import Header
from worldmail.ondemand.sorting import RECEIVED, RULES, VISIBLE, Rule, Sorted, Sorter, Surety

ANN, BEN = Address("ann", "shop.test"), Address("ben", "shop.test")


def own(address: Address) -> bool:
    return address.domain_key == "shop.test"


SORTER = Sorter(own=own)


def sort(*fields: str, sorter: Sorter = SORTER) -> Sorted:
    return sorter.sort(Header("".join(f"{field}\r\n" for field in fields).encode()))


def found(result: Sorted) -> tuple[list[str], str, Surety]:
    return [str(address) for address in result.recipients], result.step, result.surety


RECEIVED_BY_PROVIDER = "Received: from x.example ([192.0.2.1]) by mx.isp.example with ESMTP id 7; Mon, 23 Nov 2026"


@pytest.mark.parametrize("name", ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "DELIVERED-TO"])
def test_a_field_of_who_delivered_it_is_certain(name: str) -> None:
    result = sort(f"{name}: ann@shop.test", RECEIVED_BY_PROVIDER, "To: ben@shop.test")
    assert result.recipients == (ANN,)
    assert result.surety is Surety.CERTAIN


def test_the_same_field_below_a_received_field_is_only_likely() -> None:
    result = sort(RECEIVED_BY_PROVIDER, "Delivered-To: ann@shop.test", "To: ben@shop.test")
    assert found(result) == (["ann@shop.test"], "Delivered-To", Surety.LIKELY)


def test_the_provider_s_own_mailbox_in_such_a_field_tells_nothing() -> None:
    result = sort("Delivered-To: box17@isp.example", "X-Original-To: ann@shop.test", RECEIVED_BY_PROVIDER)
    assert found(result) == (["ann@shop.test"], "X-Original-To", Surety.CERTAIN)


def test_of_several_such_fields_the_uppermost_with_one_of_ours_counts() -> None:
    result = sort("Delivered-To: box17@isp.example", "Delivered-To: ann@shop.test", "Delivered-To: ben@shop.test")
    assert found(result) == (["ann@shop.test"], "Delivered-To", Surety.LIKELY)


def test_a_prefix_of_the_provider_is_taken_off() -> None:
    result = sort("Delivered-To: shop.test-ann@shop.test", sorter=Sorter(own=own, prefix="shop.test-"))
    assert found(result) == (["ann@shop.test"], "Delivered-To", Surety.CERTAIN)


@pytest.mark.parametrize(
    "clause",
    [
        "for <ann@shop.test>;",
        "for ann@shop.test;",
        "for <@relay.example:ann@shop.test>;",
        "FOR\r\n\t<ann@shop.test>; ",
        "(envelope-from <ben@shop.test> for fun (really)) for <ann@shop.test> (with a comment);",
        "for <ann@shop.test>",
    ],
)
def test_the_for_clause_of_a_received_field_is_likely(clause: str) -> None:
    result = sort(f"Received: from x by mx.isp.example with ESMTP id 7 {clause} Mon, 23 Nov 2026", "To: ben@shop.test")
    assert found(result) == (["ann@shop.test"], RECEIVED, Surety.LIKELY)


def test_the_uppermost_for_clause_with_one_of_ours_counts() -> None:
    result = sort(
        "Received: by b for <box17@isp.example>; now",
        "Received: by a for <ann@shop.test>; now",
        "Received: by z for <ben@shop.test>; now",
    )
    assert result.recipients == (ANN,)


def test_a_for_in_a_comment_is_none() -> None:
    result = sort("Received: by a (for <ann@shop.test>); now", "To: ben@shop.test")
    assert found(result) == (["ben@shop.test"], VISIBLE, Surety.GUESS)


def test_what_people_see_is_a_guess_and_names_all_of_ours_once() -> None:
    result = sort(
        'To: "Smith, Ann" <ANN@shop.test>, x@else.example, staff: ben@Shop.Test;',
        "Cc: ann@shop.test",
        "Bcc: eve@shop.test",
    )
    assert found(result) == (["ANN@shop.test", "ben@Shop.Test", "eve@shop.test"], VISIBLE, Surety.GUESS)


def test_who_was_sent_it_again_counts_before_whom_its_author_named() -> None:
    result = sort("Resent-To: ann@shop.test", "Resent-To: eve@shop.test", "To: ben@shop.test")
    assert found(result) == (["ann@shop.test"], VISIBLE, Surety.GUESS)


def test_what_cannot_be_read_in_a_list_says_nothing_against_the_rest() -> None:
    result = sort("To: undisclosed <<>>, =?x?=, ann@shop.test, (, ben@shop.test")
    assert ANN in result.recipients


@pytest.mark.parametrize(
    "field",
    [
        "List-Id: Birds of the coast <birds.lists.example>",
        "List-Post: <mailto:birds@lists.example>",
        "Sender: birds@lists.example",
        "From: Somebody <birds@lists.example>",
        "Return-Path: <birds@lists.example>",
    ],
)
def test_a_known_list_goes_to_who_ordered_it(field: str) -> None:
    rules = [Rule(of=of, recipients=(ANN,)) for of in ("birds.lists.example", "birds@lists.example")]
    result = sort(field, "To: ben@shop.test", sorter=Sorter(own=own, rules=rules))
    assert found(result) == (["ann@shop.test"], RULES, Surety.RULE)


def test_a_rule_may_name_a_whole_domain_and_all_that_fit_add_up() -> None:
    rules = [Rule(of="@lists.example", recipients=(ANN,)), Rule(of="birds@lists.example", recipients=(BEN, ANN))]
    result = sort("Sender: birds@lists.example", sorter=Sorter(own=own, rules=rules))
    assert result.recipients == (ANN, BEN)


def test_an_envelope_field_counts_before_a_rule() -> None:
    rules = [Rule(of="birds.lists.example", recipients=(ANN,))]
    result = sort("Delivered-To: ben@shop.test", "List-Id: <birds.lists.example>", sorter=Sorter(own=own, rules=rules))
    assert result.recipients == (BEN,)


@pytest.mark.parametrize("fields", [(), ("To: x@else.example",), ("To: ann",), ("Subject: for ann@shop.test",)])
def test_where_nobody_of_ours_is_named_it_is_nobody_s(fields: tuple[str, ...]) -> None:
    assert sort(*fields) == Sorted()


def test_steps_are_taken_as_they_are_set() -> None:
    result = sort(
        "Delivered-To: ann@shop.test", "X-Rcpt: ben@shop.test", sorter=Sorter(own=own, steps=("X-Rcpt", VISIBLE))
    )
    assert found(result) == (["ben@shop.test"], "X-Rcpt", Surety.CERTAIN)


def test_recipients_are_bounded() -> None:
    many = ", ".join(f"u{number}@shop.test" for number in range(2000))
    assert len(sort(f"To: {many}").recipients) == 1000


@pytest.mark.parametrize("piece", ["(", ")", " for <", "for <a@shop.test> ", "<", "\t(a(", "@,"])
def test_hostile_fields_take_no_more_than_linear_time(piece: str) -> None:
    def seconds(length: int) -> float:
        header = Header(f"Received: {piece * length}\r\nTo: {piece * length}\r\n".encode())
        began = time.thread_time()
        SORTER.sort(header)
        return time.thread_time() - began

    short = min(seconds(4000) for _ in range(3))
    assert min(seconds(16000) for _ in range(3)) < 0.05 + 12 * short


@given(
    st.lists(
        st.tuples(st.sampled_from(["To", "Received", "Delivered-To", "List-Id", "Resent-Cc"]), st.text(max_size=60))
    )
)
def test_whatever_stands_in_fields_is_sorted(fields: list[tuple[str, str]]) -> None:
    result = sort(*(f"{name}: {value}" for name, value in fields))
    assert all(own(address) for address in result.recipients)
    assert bool(result.recipients) == (result.surety is not Surety.NOBODY)
