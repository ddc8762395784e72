"""Which addresses lie in which networks."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.wire.networks import NetworkSet, packed_address

SITE = NetworkSet([ipaddress.ip_network("192.0.2.0/25"), ipaddress.ip_network("2001:db8::/32")])


@pytest.mark.parametrize("host", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::1%eth0"])
def test_addresses_within_are_within(host: str) -> None:
    assert host in SITE


@pytest.mark.parametrize("host", ["192.0.2.128", "::ffff:192.0.2.128", "2001:db9::1", "::1", "", "no address", "a\0b"])
def test_others_are_not(host: str) -> None:
    assert host not in SITE


def test_no_networks_hold_nobody() -> None:
    assert not NetworkSet()
    assert "192.0.2.1" not in NetworkSet()


def test_everything_of_one_family_holds_nobody_of_the_other() -> None:
    assert "::1" not in NetworkSet([ipaddress.ip_network("0.0.0.0/0")])
    assert "192.0.2.1" not in NetworkSet([ipaddress.ip_network("::/0")])


@given(st.ip_addresses(), st.integers(0, 128))
def test_it_agrees_with_the_standard_library(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> None:
    network = ipaddress.ip_network((address, min(prefix, address.max_prefixlen)), strict=False)
    mapped = getattr(address, "ipv4_mapped", None)
    assert (str(address) in NetworkSet([network])) == (mapped is None)
    assert packed_address(str(address)) == (address if mapped is None else mapped).packed
