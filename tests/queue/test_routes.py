"""The choice of a route."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.interfaces.queue import Route, Via
from worldmail.mail.address import Address
from worldmail.queue.routes import BUILT_IN, RouteTable, in_order

SENDER = Address.parse("Bob@Sub.Sender.example")


def table(*routes: tuple[str, str]) -> RouteTable:
    """A table of routes for these domains and senders, named after them, in any order."""
    made = [Route(name=f"{domain} {sender}", domain=domain, sender=sender) for domain, sender in routes]
    random.Random(1).shuffle(made)
    return RouteTable.of(made)


def test_without_a_route_mail_goes_to_the_servers_that_the_DNS_names() -> None:
    assert RouteTable.of(()).route(SENDER, "example.org") is BUILT_IN
    assert (BUILT_IN.name, BUILT_IN.via) == ("", Via.MX)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("deep.sub.example.org", "deep.sub.example.org"),
        ("other.sub.example.org", ".sub.example.org"),
        ("sub.example.org", ".example.org"),
        ("example.org", ".org"),
        ("example.net", "*"),
        ("xexample.org", ".org"),
        ("org", "*"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[192.0.2.2]", "*"),
        ("", "*"),
    ],
)
def test_the_most_exact_domain_wins_and_a_suffix_is_all_below_a_domain_alone(domain: str, expected: str) -> None:
    domains = ("*", ".org", ".example.org", ".sub.example.org", "deep.sub.example.org", "[192.0.2.1]", ".1]")
    found = table(*((each, "*") for each in domains))
    assert found.route(SENDER, domain).domain == expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("BOB@sub.sender.example", "bob@sub.sender.example"),
        ("eve@sub.sender.example", "sub.sender.example"),
        ("bob@other.sender.example", ".sender.example"),
        ("bob@sender.example", ".example"),
        ("bob@sender.test", "*"),
        ("postmaster", "*"),
        (None, "*"),
    ],
)
def test_the_most_exact_sender_wins_and_nobody_fits_all_alone(sender: str | None, expected: str) -> None:
    senders = ("bob@sub.sender.example", "sub.sender.example", ".sender.example", ".example", "*")
    found = table(*(("*", each) for each in senders))
    by = None if sender is None else Address.parse(sender)
    assert found.route(by, "example.org").sender == expected


def test_the_domain_counts_before_the_sender() -> None:
    found = table(("example.org", "*"), ("*", "bob@sub.sender.example"), (".org", "sub.sender.example"))
    assert found.route(SENDER, "example.org").domain == "example.org"
    assert found.route(SENDER, "other.org").domain == ".org"
    assert found.route(None, "other.org") is BUILT_IN
    assert found.route(SENDER, "example.net").sender == "bob@sub.sender.example"


def test_a_domain_whose_senders_do_not_fit_is_passed_over() -> None:
    found = table(("example.org", "other.example"), (".org", "*"))
    assert found.route(SENDER, "example.org").domain == ".org"


def test_a_disabled_route_is_passed_over_but_found_by_name() -> None:
    off = Route(name="off", domain="example.org", enabled=False)
    found = RouteTable.of((off, Route(name="on")))
    assert found.route(None, "example.org").name == "on"
    assert found.named("off") is off
    assert found.named("no") is None
    assert found.named("") is None


LABELS = st.sampled_from(["a", "b", "c"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.one_of(st.just("*"), DOMAINS, DOMAINS.map(lambda text: f".{text}"))
SENDERS = st.one_of(PATTERNS, DOMAINS.map(lambda text: f"x@{text}"))


def fits(pattern: str, domain: str, key: str = "") -> bool:
    """The plain rule."""
    return pattern in ("*", domain, key) or (pattern.startswith(".") and domain.endswith(pattern))


@given(st.lists(st.tuples(PATTERNS, SENDERS), unique=True), DOMAINS, DOMAINS)
def test_it_is_the_first_that_fits_in_the_order_in_which_they_are_listed(
    pairs: list[tuple[str, str]], domain: str, by: str
) -> None:
    routes = [Route(name=f"{at}", domain=pair[0], sender=pair[1]) for at, pair in enumerate(pairs)]
    sender = Address.parse(f"x@{by}")
    fitting = (each for each in in_order(routes) if fits(each.domain, domain) and fits(each.sender, by, sender.key))
    assert RouteTable.of(routes).route(sender, domain) is next(fitting, BUILT_IN)
