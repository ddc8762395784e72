"""Machines of a test: who reaches whom."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from worldmail.testing.hosts import NAMES, Host, Wire, hosts, missing_hosts

MISSING = missing_hosts()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

SERVES = """
import socket, sys
server = socket.create_server(("0.0.0.0", 25))
print("there", flush=True)
connection, peer = server.accept()
connection.sendall(peer[0].encode())
"""

ASKS = """
import socket, sys
try:
    print(socket.create_connection((sys.argv[1], 25), 2).recv(100).decode())
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def wire() -> Iterator[Wire]:
    with hosts() as made:
        yield made


def served(there: Host, asks: Host, address: str) -> str:
    """What is said to who asks a server there at this address."""
    server = subprocess.Popen((*there.there, sys.executable, "-c", SERVES), stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == "there\n"
        return asks.python(ASKS, address).strip()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_a_host_behind_a_gateway_reaches_others_under_its_address_and_nobody_reaches_it(wire: Wire) -> None:
    public, house = wire.host("public", 10), wire.host_behind("house", 77)
    assert served(public, house, public.address) == "192.0.2.77"
    assert served(house, public, "192.0.2.77") == "ConnectionRefusedError"
    assert served(house, public, house.address) == "OSError"


def test_a_pulled_cable_is_pulled_until_it_is_plugged_in(wire: Wire) -> None:
    one, other = wire.host("one", 10), wire.host("other", 20)
    other.link(False)
    assert served(one, other, one.address) in ("TimeoutError", "OSError")
    other.link(True)
    deadline = time.monotonic() + 60  # until both ends have noticed
    while (said := served(one, other, one.address)) != other.address and time.monotonic() < deadline:
        time.sleep(0.1)
    assert said == other.address


def test_names_are_answered_on_the_wire(wire: Wire, tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text("$ORIGIN .\nrelay.example. 60 IN A 192.0.2.10\n")
    wire.serve_names(zone)
    asked = (
        "import dns.message, dns.query, sys; "
        "print(dns.query.udp(dns.message.make_query('relay.example.', 'A'), sys.argv[1], timeout=5).answer[0][0])"
    )
    assert wire.host("one", 10).python(asked, NAMES).strip() == "192.0.2.10"
