"""From a route and a domain to hops."""

from __future__ import annotations

import gc
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from tests.queue.zone import MX, Names, Records, awaited, exchangers, failure, hosts, looked_up, plain
from worldmail.interfaces.outbound import Fate, Hop, Login, Security
from worldmail.interfaces.queue import Route, Via
from worldmail.interfaces.resolver import IResolver
from worldmail.queue.exchangers import Families


def test_the_zone_of_these_tests_is_a_resolver() -> None:
    assert verifyObject(IResolver, Names())


# --- order ---


def test_hosts_are_tried_by_preference() -> None:
    names = Names(mx={"d.example": [(30, "c"), (10, "a"), (20, "b")]}, hosts=plain("a", "b", "c"))
    assert hosts(names) == ["a", "b", "c"]


def test_hosts_of_equal_preference_are_tried_in_random_order() -> None:
    names = Names(mx={"d.example": [(10, "a"), (10, "b"), (20, "c"), (20, "d")]}, hosts=plain("a", "b", "c", "d"))
    orders = {tuple(hosts(names, shuffle=random.Random(seed).shuffle)) for seed in range(100)}
    assert orders == {("a", "b", "c", "d"), ("b", "a", "c", "d"), ("a", "b", "d", "c"), ("b", "a", "d", "c")}


def test_a_host_that_is_listed_twice_is_tried_once_where_it_is_preferred() -> None:
    names = Names(mx={"d.example": [(20, "a"), (10, "a"), (15, "b"), (10, "a")]}, hosts=plain("a", "b"))
    assert hosts(names) == ["a", "b"]


def test_a_hop_is_made_as_the_route_and_the_server_say() -> None:
    names = Names(mx={"d.example": [(10, "a")]}, hosts={"a": ("2001:db8::1", "198.51.100.1")})
    route = Route(name="", security=Security.ENCRYPTED)
    hops, _ = looked_up(names, route=route, source=("192.0.2.9",))
    assert hops == [
        Hop(
            host="a",
            addresses=("2001:db8::1", "198.51.100.1"),
            port=25,
            helo="mail.our.example",
            security=Security.ENCRYPTED,
            source=("192.0.2.9",),
            by_dns=True,
        )
    ]


# --- without MX, null MX ---


def test_a_domain_without_MX_records_is_its_own_host() -> None:
    hops, trouble = looked_up(Names(hosts={"d.example": ("198.51.100.1",)}))
    assert [(hop.host, hop.addresses) for hop in hops] == [("d.example", ("198.51.100.1",))] and trouble is None


def test_a_domain_with_MX_records_is_no_host_even_if_none_can_be_used() -> None:
    names = Names(mx={"d.example": [(10, "gone")]}, hosts={"d.example": ("198.51.100.1",)})
    assert failure(names) == (Fate.FAILED, "5.4.4")


@pytest.mark.parametrize("records", [[(0, "")], [(10, "")], [(0, ""), (5, "")]])
def test_a_null_MX_is_final(records: Records) -> None:
    names = Names(mx={"d.example": records}, hosts={"d.example": ("198.51.100.1",)})
    assert failure(names) == (Fate.FAILED, "5.1.10")


def test_a_null_MX_beside_others_says_nothing() -> None:
    assert hosts(Names(mx={"d.example": [(0, ""), (10, "a")]}, hosts=plain("a"))) == ["a"]


def test_a_domain_that_does_not_exist_is_final() -> None:
    assert failure(Names()) == (Fate.FAILED, "5.1.2")


def test_a_domain_with_neither_MX_nor_address_is_final() -> None:
    assert failure(Names(hosts={"d.example": ()})) == (Fate.FAILED, "5.4.4")


def test_a_domain_that_cannot_be_looked_up_now_is_tried_again() -> None:
    assert failure(Names(trouble={"d.example"})) == (Fate.DEFERRED, "4.4.3")


# --- ourselves ---


def test_our_own_name_cuts_itself_all_of_its_preference_and_all_behind() -> None:
    records = [(10, "a"), (20, "b"), (20, "mail.our.example"), (20, "c"), (30, "d")]
    names = Names(mx={"d.example": records}, hosts=plain("a", "b", "c", "d", "mail.our.example"))
    assert hosts(names) == ["a"]
    assert names.asked == ["MX d.example", "a"]


def test_our_own_address_under_another_name_cuts_as_well() -> None:
    for ours in ("192.0.2.9", "2001:db8::9", "::ffff:192.0.2.9", "127.0.0.53"):
        records = [(10, "a"), (20, "b"), (20, "alias"), (30, "d")]
        zone = {**plain("a", "b", "d"), "alias": ("198.51.100.99", ours)}
        assert hosts(Names(mx={"d.example": records}, hosts=zone)) == ["a"]


@pytest.mark.parametrize("host", ["mail.our.example", "alias"])
def test_mail_for_which_we_are_preferred_ourselves_loops(host: str) -> None:
    names = Names(
        mx={"d.example": [(10, "a"), (10, host), (20, "b")]}, hosts={**plain("a", "b"), "alias": ("192.0.2.9",)}
    )
    assert failure(names) == (Fate.FAILED, "5.4.6")


def test_mail_for_a_domain_without_MX_at_our_own_address_loops() -> None:
    assert failure(Names(hosts={"d.example": ("192.0.2.9",)})) == (Fate.FAILED, "5.4.6")
    assert failure(Names(hosts=plain("mail.our.example")), "mail.our.example") == (Fate.FAILED, "5.4.6")


def test_an_unknown_neighbour_of_ours_does_not_make_a_loop_temporary() -> None:
    names = Names(mx={"d.example": [(10, "odd"), (10, "alias")]}, hosts={"alias": ("192.0.2.9",)}, trouble={"odd"})
    assert failure(names) == (Fate.FAILED, "5.4.6")


def test_a_backup_waits_for_a_better_host_that_cannot_be_looked_up_now() -> None:
    names = Names(mx={"d.example": [(10, "a"), (20, "mail.our.example")]}, trouble={"a"})
    assert failure(names) == (Fate.DEFERRED, "4.4.3")


def test_a_backup_fails_if_no_better_host_is_there() -> None:
    names = Names(mx={"d.example": [(10, "a"), (20, "alias")]}, hosts={"alias": ("192.0.2.9",)})
    assert failure(names) == (Fate.FAILED, "5.4.4")


# --- hosts that cannot be used ---


@pytest.mark.parametrize(
    "bad", ["192.0.2.1", "2001:db8::1", "[192.0.2.1]", "a b", "a..b", "x" * 64, "1.2.3", "UP", "ü"]
)
def test_an_exchange_that_is_no_host_name_is_passed_over_and_not_asked_for(bad: str) -> None:
    names = Names(mx={"d.example": [(10, bad), (20, "a")]}, hosts=plain("a"))
    assert hosts(names) == ["a"]
    assert names.asked == ["MX d.example", "a"]
    assert failure(Names(mx={"d.example": [(10, bad)]})) == (Fate.FAILED, "5.4.4")


def test_a_host_without_an_address_is_passed_over() -> None:
    names = Names(mx={"d.example": [(10, "gone"), (10, "empty"), (20, "a")]}, hosts={**plain("a"), "empty": ()})
    assert hosts(names) == ["a"]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:0.0.0.0"])
def test_what_is_no_address_of_a_host_is_passed_over(address: str) -> None:
    names = Names(mx={"d.example": [(10, "a")]}, hosts={"a": (address,)})
    assert failure(names) == (Fate.FAILED, "5.4.4")
    names.hosts["a"] = (address, "198.51.100.1")
    assert [hop.addresses for hop in looked_up(names)[0]] == [("198.51.100.1",)]


def test_trouble_with_one_host_is_told_after_all_others() -> None:
    names = Names(mx={"d.example": [(10, "odd"), (20, "a"), (30, "b")]}, hosts=plain("a", "b"), trouble={"odd"})
    hops, trouble = looked_up(names)
    assert [hop.host for hop in hops] == ["a", "b"]
    assert trouble is not None and (trouble.fate, trouble.status) == (Fate.DEFERRED, "4.4.3")


def test_trouble_with_the_only_host_there_is_is_temporary() -> None:
    names = Names(mx={"d.example": [(10, "gone"), (20, "odd")]}, trouble={"odd"})
    assert failure(names) == (Fate.DEFERRED, "4.4.3")


# --- laziness and bounds ---


def test_a_host_is_looked_up_when_those_before_it_failed() -> None:
    names = Names(mx={"d.example": [(10, "a"), (20, "b")]}, hosts=plain("a", "b"))
    hops = exchangers(names).hops(MX, "d.example").__aiter__()
    assert names.asked == []
    assert awaited(hops.__anext__()).host == "a"
    assert names.asked == ["MX d.example", "a"]
    assert awaited(hops.__anext__()).host == "b"
    with pytest.raises(StopAsyncIteration):
        awaited(hops.__anext__())


def test_who_is_content_with_the_first_leaves_nothing_open() -> None:
    names = Names(mx={"d.example": [(10, "a"), (20, "b")]}, hosts=plain("a", "b"))

    async def first() -> str:
        async for hop in exchangers(names).hops(MX, "d.example"):
            return hop.host
        raise AssertionError("there is one")

    assert awaited(first()) == "a"
    gc.collect()  # what is wrong with the rest would be told here
    assert "b" not in names.asked


def test_of_many_hosts_some_are_tried_and_no_others_looked_up() -> None:
    count = 5000
    names = Names(mx={"d.example": [(at % 3, f"h{at}") for at in range(count)]}, hosts={})
    names.hosts = {f"h{at}": (f"198.51.{at // 250}.{at % 250 + 1}",) for at in range(count)}
    assert hosts(names, hosts=4) == ["h0", "h3", "h6", "h9"]
    assert len(names.asked) == 5


def test_of_many_addresses_some_of_each_version_are_tried() -> None:
    zone = {
        "d.example": tuple(f"2001:db8::{at:x}" for at in range(100, 200))
        + tuple(f"198.51.100.{at}" for at in range(100))
    }
    (hop,), _ = looked_up(Names(hosts=zone), addresses=4)
    assert hop.addresses == ("2001:db8::64", "198.51.100.0", "2001:db8::65", "198.51.100.1")


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (Families.IPV6_FIRST, ("2001:db8::1", "198.51.100.1", "2001:db8::2", "2001:db8::3")),
        (Families.IPV4_FIRST, ("198.51.100.1", "2001:db8::1", "2001:db8::2", "2001:db8::3")),
        (Families.IPV6, ("2001:db8::1", "2001:db8::2", "2001:db8::3")),
        (Families.IPV4, ("198.51.100.1",)),
    ],
)
def test_ip_versions_are_tried_in_turn_as_the_setting_says(families: Families, expected: tuple[str, ...]) -> None:
    addresses = ("2001:db8::1", "2001:db8::2", "2001:db8::2", "2001:db8::3", "198.51.100.1")
    (hop,), _ = looked_up(Names(hosts={"d.example": addresses}), families=families)
    assert hop.addresses == expected


def test_a_host_with_no_address_of_the_versions_we_speak_is_passed_over() -> None:
    names = Names(mx={"d.example": [(10, "a")]}, hosts={"a": ("2001:db8::1",)})
    assert failure(names, families=Families.IPV4) == (Fate.FAILED, "5.4.4")


# --- address literals ---


@pytest.mark.parametrize(
    ("domain", "host"), [("[198.51.100.1]", "198.51.100.1"), ("[ipv6:2001:db8::1]", "2001:db8::1")]
)
def test_an_address_literal_is_the_host_itself(domain: str, host: str) -> None:
    names = Names()
    hops, trouble = looked_up(names, domain)
    assert [(hop.host, hop.addresses) for hop in hops] == [(host, (host,))] and trouble is None and not names.asked


@pytest.mark.parametrize("domain", ["[192.0.2.9]", "[127.0.0.1]", "[ipv6:2001:db8::9]", "[ipv6:::ffff:192.0.2.9]"])
def test_an_address_literal_of_ours_loops(domain: str) -> None:
    assert failure(Names(), domain) == (Fate.FAILED, "5.4.6")


@pytest.mark.parametrize("domain", ["[0.0.0.0]", "[224.0.0.1]", "[ipv6:ff02::1]", "[ipv6:2001:db8::1]"])
def test_an_address_literal_that_nothing_can_be_sent_to_is_final(domain: str) -> None:
    assert failure(Names(), domain, families=Families.IPV4) == (Fate.FAILED, "5.4.4")


# --- one host ---

ISP = Route(
    name="isp",
    via=Via.HOST,
    host="smtp.isp.example",
    port=465,
    security=Security.VERIFIED,
    implicit_tls=True,
    login=Login(user="me", password="secret"),
)


def test_a_route_to_a_host_asks_for_no_MX_records() -> None:
    names = Names(mx={"smtp.isp.example": [(10, "a")]}, hosts={"smtp.isp.example": ("2001:db8::1", "198.51.100.1")})
    hops, trouble = looked_up(names, route=ISP)
    assert trouble is None
    assert hops == [
        Hop(
            host="smtp.isp.example",
            addresses=("2001:db8::1", "198.51.100.1"),
            port=465,
            helo="mail.our.example",
            security=Security.VERIFIED,
            implicit_tls=True,
            login=ISP.login,
        )
    ]


@pytest.mark.parametrize("address", ["192.0.2.9", "127.0.0.1"])
def test_a_host_that_an_administrator_names_may_be_on_this_machine(address: str) -> None:
    (hop,), _ = looked_up(
        Names(hosts={"in.example": (address,)}), route=Route(name="in", via=Via.LMTP, host="in.example", port=24)
    )
    assert hop.addresses == (address,) and hop.lmtp and hop.port == 24


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (Names(), "4.3.5"),
        (Names(hosts={"smtp.isp.example": ()}), "4.3.5"),
        (Names(trouble={"smtp.isp.example"}), "4.4.3"),
    ],
)
def test_a_host_that_cannot_be_found_costs_no_mail(names: Names, status: str) -> None:
    assert failure(names, route=ISP) == (Fate.DEFERRED, status)


def test_a_host_given_by_its_address_needs_no_DNS() -> None:
    names = Names()
    (hop,), _ = looked_up(names, route=Route(name="a", via=Via.HOST, host="2001:db8::5", port=25))
    assert (hop.host, hop.addresses, names.asked) == ("2001:db8::5", ("2001:db8::5",), [])


@pytest.mark.parametrize("via", [Via.HOLD, Via.REFUSE, Via.LOCAL])
def test_nothing_is_sent_by_other_ways(via: Via) -> None:
    with pytest.raises(ValueError, match=via.value):
        exchangers(Names()).hops(Route(name="x", via=via), "d.example")


# --- whatever the DNS says ---

HOST = st.sampled_from(["a", "b", "c", "gone", "odd", "empty", "alias", "mail.our.example", "", "192.0.2.1", "a b"])


@given(st.lists(st.tuples(st.integers(0, 3), HOST), max_size=8), st.randoms(use_true_random=False))
def test_no_hop_is_as_far_as_we_are_and_there_is_a_hop_or_a_trouble(records: Records, source: random.Random) -> None:
    zone = {**plain("a", "b", "c", "d.example"), "empty": (), "alias": ("192.0.2.9",)}
    hops, trouble = looked_up(Names(mx={"d.example": records}, hosts=zone, trouble={"odd"}), shuffle=source.shuffle)
    assert hops or trouble is not None
    assert trouble is None or not hops or trouble.fate is Fate.DEFERRED
    ours = min((each for each, host in records if host in ("alias", "mail.our.example")), default=9)
    best = {host: min(each for each, other in records if other == host) for _, host in records}
    found = [hop.host for hop in hops]
    assert found == sorted(found, key=lambda host: best.get(host, 0)) and len(set(found)) == len(found)
    assert all(best.get(host, 0) < ours for host in found)
    expected = {host for host in best if host in "abc" and host and best[host] < ours} if records else {"d.example"}
    assert set(found) == expected
