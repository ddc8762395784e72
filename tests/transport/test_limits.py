"""Limits by address."""

from __future__ import annotations

from ipaddress import ip_network

from worldmail.transport.limits import LATELY, PRUNE_AT, Limits, address_key


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_IPv6_address_counts_with_its_64_and_a_mapped_one_as_IPv4() -> None:
    assert address_key("2001:db8:1:2:3::4") == address_key("2001:db8:1:2::ffff")
    assert address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")
    assert address_key("::ffff:192.0.2.1") == address_key("192.0.2.1")
    assert address_key("192.0.2.1") != address_key("192.0.2.2")
    assert address_key("fe80::1%eth0") == address_key("fe80::2%eth1")
    assert address_key("not an address") == b"not an address"


def test_connections_of_one_address_and_in_all_are_capped() -> None:
    limits = Limits(connections=2, total=4)
    assert [limits.admit("192.0.2.1") for _ in range(3)] == [None, None, "too many connections from your address"]
    assert limits.admit("192.0.2.2") is None
    assert limits.admit("192.0.2.3") == "too many connections"
    for host in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"):
        limits.release(host)
    assert limits.open == 0
    assert limits.admit("192.0.2.1") is None


def test_exempt_networks_are_only_held_to_the_total() -> None:
    limits = Limits(connections=1, total=3, exempt=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
    assert limits.is_exempt("192.0.2.77")
    assert limits.is_exempt("::ffff:192.0.2.77")
    assert limits.is_exempt("2001:db8:5::1")
    assert not limits.is_exempt("198.51.100.1")
    assert not limits.is_exempt("2001:db9::1")
    assert not Limits().is_exempt("127.0.0.1")
    assert [limits.admit("192.0.2.1", exempt=True) for _ in range(4)] == [None, None, None, "too many connections"]


def test_handshakes_and_commands_are_counted_by_the_minute() -> None:
    clock = Clock()
    limits = Limits(handshakes=2, events=10, seconds=clock)
    assert [limits.may_secure("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert limits.may_secure("192.0.2.2")
    assert limits.spend("192.0.2.1", 10)
    assert not limits.spend("192.0.2.1", 1)
    clock.now += 60
    assert limits.may_secure("192.0.2.1")
    assert limits.spend("192.0.2.1", 10)


def test_an_address_that_signed_in_lately_may_go_on_making_TLS_sessions() -> None:
    clock = Clock()
    limits = Limits(handshakes=1, seconds=clock)
    limits.sign_in(7, "192.0.2.1")
    assert [limits.may_secure("192.0.2.1") for _ in range(3)] == [True, True, True]
    limits.sign_out(7)
    assert limits.may_secure("192.0.2.1")
    assert [limits.may_secure("192.0.2.2") for _ in range(2)] == [True, False]
    clock.now += LATELY
    assert [limits.may_secure("192.0.2.1") for _ in range(2)] == [True, False]


def test_sessions_of_one_account_are_capped_wherever_they_come_from() -> None:
    limits = Limits(accounts=2)
    assert [limits.sign_in(7, f"192.0.2.{number}") for number in range(3)] == [True, True, False]
    assert limits.sign_in(8, "192.0.2.1")
    limits.sign_out(7)
    assert limits.sign_in(7, "192.0.2.9")
    for account in (7, 7, 8):
        limits.sign_out(account)
    assert not limits._sessions


def test_sessions_from_exempt_networks_are_not_refused_to_an_account() -> None:
    limits = Limits(accounts=1, exempt=(ip_network("192.0.2.0/24"),))
    assert [limits.sign_in(7, "192.0.2.1") for _ in range(3)] == [True, True, True]
    assert not limits.sign_in(7, "198.51.100.1")


def test_zero_is_no_limit() -> None:
    limits = Limits(connections=0, total=0, handshakes=0, events=0, accounts=0)
    assert all(limits.sign_in(7, "192.0.2.1") for _ in range(200))
    for _ in range(200):
        assert limits.admit("192.0.2.1") is None
        assert limits.may_secure("192.0.2.1")
        assert limits.spend("192.0.2.1", 1000)


def test_a_flood_of_addresses_does_not_fill_the_memory() -> None:
    limits = Limits()
    limits.admit("192.0.2.1")
    for number in range(3 * PRUNE_AT):
        limits.may_secure(f"2001:db8:{number >> 12:x}:{number & 4095:x}::1")
    assert len(limits._usage) <= PRUNE_AT
    limits.release("192.0.2.1")
    assert limits.open == 0


def test_new_figures_keep_what_is_counted() -> None:
    limits = Limits(connections=1)
    limits.admit("192.0.2.1")
    limits.reconfigure(Limits(connections=2, exempt=(ip_network("198.51.100.0/24"),)))
    assert limits.admit("192.0.2.1") is None
    assert limits.admit("192.0.2.1") is not None
    assert limits.is_exempt("198.51.100.9")
