"""A name server on the loopback for tests: UDP and TCP on one port, in threads of its own.

As a script it serves a zone file (RFC 1035 §5), for mail servers that try each other out:
`python -m worldmail.testing.names ZONE-FILE --port N [--address A] [--ttl SECONDS]`.
"""

from __future__ import annotations

import argparse
import enum
import ipaddress
import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

Zone = Mapping[str, Mapping[str, Iterable[str]]]
"""Records by name and type, as zone files write their data: {"a.test": {"MX": ["10 mx.a.test"], "TXT": ['"x y"']}}."""

Lie = Callable[[bytes, bytes], Iterable[bytes]]
"""Makes of a query's octets and the true answer's the datagrams that are sent, in their order."""


class Mood(enum.Enum):
    """How it behaves."""

    HONEST = "honest"
    SILENT = "silent"  # UDP: no answer; TCP: reads and says nothing
    SLOW = "slow"  # honest after `delay` seconds
    SERVFAIL = "servfail"
    REFUSED = "refused"
    NO_EDNS = "no edns"  # FORMERR to each query with an OPT record, as servers do that do not know it
    TRUNCATED = "truncated"  # UDP answers say: ask by TCP
    NO_TCP = "no tcp"  # the same, and TCP connections are closed unanswered


_OF_TESTS = ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("192.0.2.0/24")
"""The loopback, and a network for documentation, where tests make one of their own."""

_RCODES = {Mood.SERVFAIL: dns.rcode.SERVFAIL, Mood.REFUSED: dns.rcode.REFUSED}


class NameServer:
    """Answers from records that a test may change at any time; a context manager.

    Args:
        zone: the records; names and data are absolute, with or without final dot. Unless it gives an SOA record
            itself, answers that something is not there bear one that is good for `ttl` seconds.
        ttl: of every record, in seconds.
        port: 0 for one of the system's choice. System libraries ask port 53 alone.
        address: where it listens, of 127.0.0.0/8 or 192.0.2.0/24.

    Attributes:
        asked: how often each (name, type) was asked for; `asked_by_tcp`: of these by TCP.
        mood: how it behaves, but for names in `moods`.
        follows: whether an answer goes on with what an alias leads to.
        delay: seconds that it waits in mood SLOW.
        lie: what it says instead of the truth by UDP, if not None.
        lie_by_tcp: the same by TCP; each datagram gets its length in front.
    """

    def __init__(self, zone: Zone, *, ttl: int = 300, port: int = 0, address: str = "127.0.0.1") -> None:
        assert any(ipaddress.IPv4Address(address) in network for network in _OF_TESTS)
        self.zone: dict[str, dict[str, list[str]]] = {}
        for name, records in zone.items():
            self.set(name, **records)
        self.ttl = ttl
        self.asked: Counter[tuple[str, str]] = Counter()
        self.asked_by_tcp: Counter[tuple[str, str]] = Counter()
        self.mood = Mood.HONEST
        self.moods: dict[str, Mood] = {}
        self.follows = True
        self.delay = 0.5
        self.lie: Lie | None = None
        self.lie_by_tcp: Lie | None = None
        self.stopped = threading.Event()
        self._counting = threading.Lock()
        self.udp, self.tcp = self._sockets(address, port)
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True) for server in (self.udp, self.tcp)
        ]

    @property
    def place(self) -> tuple[str, int]:
        """Address and port."""
        host, port = self.tcp.server_address
        return host, port

    @property
    def setting(self) -> str:
        """The same, as settings have it."""
        host, port = self.place
        return f"{host}:{port}"

    def set(self, name: str, **records: Iterable[str]) -> None:
        """These are the records of a name from now on."""
        self.zone[_key(name)] = {kind.upper(): list(data) for kind, data in records.items()}

    def start(self) -> Self:
        """Answer."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Answer no more; the port is free. Harmless a second time."""
        if self.stopped.is_set():
            return
        self.stopped.set()
        for server in (self.udp, self.tcp):
            if self._threads[0].ident is not None:
                server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reply(self, octets: bytes, by_tcp: bool) -> list[bytes] | None:
        """What is sent for a query; None to close the connection."""
        try:
            query = dns.message.from_wire(octets)
            (question,) = query.question
        except (dns.exception.DNSException, ValueError):
            return []
        name, kind = _key(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        with self._counting:
            for counter in (self.asked, self.asked_by_tcp)[: 1 + by_tcp]:
                counter[name, kind] += 1
        mood = self.moods.get(name, self.mood)
        if mood is Mood.NO_TCP and by_tcp:
            return None
        if mood is Mood.SILENT:
            return []
        if mood is Mood.SLOW and self.stopped.wait(self.delay):
            return []
        truth = self._answer(query, name, kind, mood, by_tcp)
        lie = self.lie_by_tcp if by_tcp else self.lie
        return [truth] if lie is None else list(lie(octets, truth))

    def _answer(self, query: dns.message.Message, name: str, kind: str, mood: Mood, by_tcp: bool) -> bytes:
        answer = dns.message.make_response(query, recursion_available=True)
        if mood is Mood.NO_EDNS and query.edns >= 0:
            answer.use_edns(False)
            answer.set_rcode(dns.rcode.FORMERR)
        elif mood in _RCODES:
            answer.set_rcode(_RCODES[mood])
        elif mood in (Mood.TRUNCATED, Mood.NO_TCP) and not by_tcp:
            answer.flags |= dns.flags.TC
        else:
            self._fill(answer, name, kind)
        octets = answer.to_wire(max_size=65535)
        if not by_tcp and len(octets) > (query.payload if query.edns >= 0 else 512):
            answer = dns.message.make_response(query, recursion_available=True)
            answer.flags |= dns.flags.TC
            octets = answer.to_wire()
        return octets

    def _fill(self, answer: dns.message.Message, name: str, kind: str) -> None:
        """The records of a name and, if it is an alias, those at the end."""
        for _ in range(20):
            records = self.zone.get(name, {})
            found = kind if kind in records else "CNAME"
            data = records.get(found, [])
            if data:
                answer.answer.append(self._records(name, found, data))
            if data and found != kind and not self.follows:
                return
            if not data or found == kind:
                break
            name = _key(data[0])
        else:
            return
        if not data:
            if not any(other == name or other.endswith("." + name) for other in self.zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            answer.authority.append(self._authority(name))

    def _authority(self, name: str) -> dns.rrset.RRset:
        """The SOA record of the zone that a name is in, which is made up if there is none."""
        labels = name.split(".")
        for start in range(len(labels)):
            zone = ".".join(labels[start:])
            if data := self.zone.get(zone, {}).get("SOA"):
                return self._records(zone, "SOA", data)
        return self._records(labels[-1], "SOA", [f"ns.test hostmaster.test 1 60 60 60 {self.ttl}"])

    def _records(self, name: str, kind: str, data: list[str]) -> dns.rrset.RRset:
        owner = dns.name.from_text(name)
        return dns.rrset.from_text_list(owner, self.ttl, "IN", kind, data, origin=dns.name.root, relativize=False)

    def _sockets(self, address: str, port: int) -> tuple[socketserver.BaseServer, Any]:
        """UDP and TCP on the same port."""
        for _ in range(100):
            tcp = _Tcp((address, port), _TcpRequest)
            tcp.names = self
            try:
                udp = _Udp(tcp.server_address, _UdpRequest)
            except OSError:
                tcp.server_close()
                if port:
                    raise
                continue
            udp.names = self
            udp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            return udp, tcp
        raise OSError("no port is free for both UDP and TCP")


class _Udp(socketserver.ThreadingUDPServer):
    """Hundreds of questions may come at once."""

    daemon_threads = True
    block_on_close = False
    names: NameServer


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128
    names: NameServer


class _UdpRequest(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        octets, sender = self.request
        for reply in self.server.names.reply(octets, False) or ():  # type: ignore[attr-defined]  # it is a _Udp
            with suppress(OSError):
                sender.sendto(reply, self.client_address)


class _TcpRequest(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        names: NameServer = self.server.names  # type: ignore[attr-defined]  # it is a _Tcp
        with suppress(OSError):
            while len(head := self.rfile.read(2)) == 2:
                replies = names.reply(self.rfile.read(*struct.unpack("!H", head)), True)
                if replies is None:
                    return
                for reply in replies:
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)
                if not replies:
                    names.stopped.wait(60)


def read_zone(text: str) -> Zone:
    """The records of a zone file; all names in it are absolute, with or without final dot."""
    zone: dict[str, dict[str, list[str]]] = {}
    read = dns.zone.from_text(f"$TTL 300\n{text}", origin=dns.name.root, relativize=False, check_origin=False)
    for name, records in read.iterate_rdatasets():
        kinds = zone.setdefault(_key(name.to_text()), {})
        kinds[dns.rdatatype.to_text(records.rdtype)] = [record.to_text() for record in records]
    return zone


def _key(name: str) -> str:
    return name.removesuffix(".").lower()


def main() -> None:
    """Serve a zone file until interrupted."""
    parser = argparse.ArgumentParser(description="A name server for tests, on the loopback only.")
    parser.add_argument("zone", type=Path, help="a zone file; its names are absolute")
    parser.add_argument("--port", type=int, default=0, help="UDP and TCP; one of the system's choice if left out")
    parser.add_argument("--address", default="127.0.0.1", help="of 127.0.0.0/8")
    parser.add_argument("--ttl", type=int, default=300, help="of every record, in seconds")
    options = parser.parse_args()
    zone = read_zone(options.zone.read_text())
    server = NameServer(zone, ttl=options.ttl, port=options.port, address=options.address)
    with server as names, suppress(KeyboardInterrupt):
        print(names.setting, flush=True)  # noqa: T201  a script says where it is
        names.stopped.wait()


if __name__ == "__main__":
    main()
