"""What settings and the system's files say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.transport.dns.hosts import parse_hosts
from worldmail.transport.dns.servers import MAXIMUM_SERVERS, Asked, Server, parse_resolv_conf, parse_server
from worldmail.transport.dns.watched import LOOK_SECONDS, MAXIMUM_OCTETS, WatchedFile


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 53),
        ("192.0.2.53:5353", "192.0.2.53", 5353),
        ("2001:DB8::53", "2001:db8::53", 53),
        ("::", "::", 53),
        ("[2001:db8::53]", "2001:db8::53", 53),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353),
        ("fe80::1%eth0", "fe80::1%eth0", 53),
    ],
)
def test_a_server_is_an_address_with_or_without_a_port(text: str, host: str, port: int) -> None:
    assert parse_server(text) == Server(host, port)
    assert parse_server(str(Server(host, port))) == Server(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns.test",
        "192.0.2.53:",
        "192.0.2.53:0",
        "192.0.2.53:65536",
        "192.0.2.53:٣",
        "[::1",
        "[::1]5",
        "[::1]:",
        "1.2.3",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="server|port"):
        parse_server(text)


def test_resolv_conf_names_servers_and_how_patient_to_be() -> None:
    text = """
    # nameserver 192.0.2.1
    ; nameserver 192.0.2.2
    search a.test b.test
    nameserver 192.0.2.3
    nameserver fe80::1%eth0 # ours
    nameserver 192.0.2.3
    nameserver ns.test
    nameserver
    options rotate timeout:2 attempts:90 ndots:1 timeout:x edns0
    """
    servers = (Server("192.0.2.3"), Server("fe80::1%eth0"))
    assert parse_resolv_conf(text) == Asked(servers=servers, timeout=2, attempts=5)


def test_without_a_server_in_it_this_machine_is_asked() -> None:
    assert parse_resolv_conf("") == Asked(servers=(Server("127.0.0.1"),))


def test_only_so_many_servers_are_asked() -> None:
    text = "".join(f"nameserver 192.0.2.{number}\n" for number in range(100))
    assert len(parse_resolv_conf(text).servers) == MAXIMUM_SERVERS


@given(st.text())
def test_any_text_is_read_in_some_way(text: str) -> None:
    assert parse_resolv_conf(text).servers
    assert parse_resolv_conf("nameserver " + text).servers
    assert parse_resolv_conf("options timeout:" + text).timeout > 0
    parse_hosts(text).addresses(text)
    parse_hosts("::1 " + text).addresses(text)


def test_a_host_has_every_address_that_is_given_for_it_IPv6_first() -> None:
    text = "192.0.2.1 A.test a\n2001:DB8::1 a.test. # b\nnonsense c\n192.0.2.1 a\n#192.0.2.9 a\n"
    hosts = parse_hosts(text)
    assert hosts.addresses("a.test") == ("2001:db8::1", "192.0.2.1")
    assert hosts.addresses("a") == ("192.0.2.1",)
    assert [hosts.addresses(name) for name in ("b", "c", "192.0.2.1")] == [(), (), ()]


class Watch:
    def __init__(self, path: Path) -> None:
        self.now = 0.0
        self.file = WatchedFile(path=path, parse=str.upper, seconds=lambda: self.now)

    def later(self) -> str:
        self.now += LOOK_SECONDS
        return self.file.value()


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watch = Watch(path)
    assert watch.later() == ""
    path.write_text("one")
    assert watch.file.value() == ""
    assert watch.later() == "ONE"
    (tmp_path / "new").write_text("two")
    os.utime(tmp_path / "new", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    (tmp_path / "new").replace(path)
    assert watch.later() == "TWO"
    path.unlink()
    assert watch.later() == ""
    path.mkdir()
    assert watch.later() == ""


def test_of_a_file_without_end_the_first_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"line\n" * MAXIMUM_OCTETS)
    text = Watch(path).later()
    assert text.endswith("LINE\n") and MAXIMUM_OCTETS - 5 <= len(text) <= MAXIMUM_OCTETS


def test_octets_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\xff\n")
    assert Watch(path).later().startswith("A")
