"""Mail for elsewhere, while servers and names elsewhere fail in every way: nothing is lost, and nobody is held up."""

from __future__ import annotations

import contextlib
import email
import signal
import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw
import pytest
from attrs import define, field
from oracle.exchange import eventually, sign_in
from oracle.store_check import contradictions, find_database
from oracle.trial import FOR_THE_LOOPBACK, PASSWORD
from scripted_peers import HALF_CLOSE, ScriptedPeer

from worldmail.testing.names import Mood, NameServer
from worldmail.testing.process import ServerProcess

IMPATIENT = sys.executable, str(Path(__file__).with_name("launchers") / "impatient.py")
SENDER = "sender@a.test"
PROMISED_MS = 100.0
PHASES = "GREETING", "EHLO", "MAIL", "RCPT", "DATA", "TEXT"
FAULTS = {
    "stall": "SILENCE",
    "later": "451 4.3.0 Not now",
    "never": "554 5.7.0 Not ever",
    "closes": "CLOSE",
    "leaves": "421 4.3.2 Going CLOSE",
    "half": HALF_CLOSE,
    "babble": "what",
    "floods": "250-x\r\n" * 5000 + "250 x",
}


@define
class Site:
    """A server under the watchdog, a name server, and the port of all servers elsewhere."""

    server: ServerProcess
    names: NameServer
    port: int
    late: Path
    made: int = field(default=0, init=False)

    def elsewhere(self, stack: contextlib.ExitStack, domain: str, **changes: object) -> ScriptedPeer:
        """Another server, for a domain."""
        self.made += 1
        address = f"127.0.1.{self.made}"
        self.names.set(domain, MX=[f"10 mx.{domain}."])
        self.names.set(f"mx.{domain}", A=[address])
        return stack.enter_context(ScriptedPeer(address=address, port=self.port, **changes))  # type: ignore[arg-type]  # as given

    def send(self, *domains: str) -> None:
        """A message to each, with its domain as the subject."""
        with smtplib.SMTP("127.0.0.1", self.server.port(25), timeout=60) as client:
            for domain in domains:
                client.sendmail(SENDER, [f"to@{domain}"], f"Subject: {domain}\r\n\r\ntext\r\n")

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What the database says."""
        connection = apsw.Connection(str(find_database(self.server.directory)), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5000)
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def waiting(self) -> set[str]:
        """The domains of what is in the queue."""
        return {str(address).partition("@")[2] for (address,) in self.rows("SELECT address FROM recipient")}

    def reported(self) -> dict[str, str]:
        """Of each domain of which there is a report, its action; each report is there once."""
        client = sign_in(self.server, SENDER)
        found: dict[str, str] = {}
        for number in range(1, client.stat()[0] + 1):
            message = email.message_from_bytes(b"\r\n".join(client.retr(number)[1]))
            (status,) = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"]
            for group in status.get_payload()[1:]:
                domain = group["Final-Recipient"].rpartition("@")[2]
                assert domain not in found, domain
                found[domain] = group["Action"]
        client.quit()
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    late = tmp_path / "late"
    server = ServerProcess(
        directory=tmp_path / "data",
        domain="a.test",
        program=IMPATIENT,
        environment={"WATCHDOG": str(late)},
        forked=True,
    )
    server.initialise()
    port = server.port(25) + 500
    with NameServer({}, ttl=1) as names:
        server.configure(FOR_THE_LOOPBACK)
        server.configure(
            {
                "policy": {"relay_networks": ["127.0.0.0/8"]},
                "queue": {"first_retry": "1s", "longest_retry": "2s", "port": port},
                "dns": {"servers": [names.setting], "timeout": "2s"},
            }
        )
        server.add_user(SENDER, PASSWORD)
        server.start()
        assert server.process is not None
        server.process.send_signal(signal.SIGUSR1)
        try:
            yield Site(server, names, port, late)
        finally:
            server.kill()
            print(server.tail(3000))


def ended(site: Site) -> None:
    """Nothing is left, nothing contradicts itself, and the reactor was never held up."""
    assert eventually(lambda: not site.rows("SELECT 1 FROM recipient"), 60.0), site.waiting()
    assert site.rows("SELECT 1 FROM queued") == []
    site.server.stop()
    assert list(contradictions(site.server.directory)) == []
    assert site.rows("SELECT 1 FROM runner") == []
    assert float(site.late.read_text()) < PROMISED_MS


def name_of(fault: str, phase: str) -> str:
    return f"{fault}-{phase.lower()}.test"


def test_whatever_servers_do_in_any_phase_nothing_is_lost_and_others_get_their_mail(site: Site) -> None:
    kinds = {name_of(fault, phase): (fault, phase) for fault in FAULTS for phase in PHASES}
    with contextlib.ExitStack() as stack:
        peers = {
            name: site.elsewhere(stack, name, answers={phase: [FAULTS[fault]]})
            for name, (fault, phase) in kinds.items()
        }
        good = site.elsewhere(stack, "good.test")
        site.send(*peers, *["good.test"] * 20)
        assert eventually(lambda: len(good.taken) == 20)
        assert eventually(lambda: all(peer.connections for peer in peers.values()), 30.0)
        # A server that does not know EHLO is greeted by HELO (RFC 5321 §3.2).
        refused = {name for name, (fault, phase) in kinds.items() if fault == "never" and phase != "EHLO"}
        assert eventually(lambda: set(site.reported()) == refused, 30.0)
        for peer in peers.values():
            peer.heal()
        others = {name: peer for name, peer in peers.items() if name not in refused}
        assert eventually(lambda: all(peer.taken for peer in others.values()), 60.0), site.waiting()
        assert {name for name, peer in others.items() if len(peer.taken) > 1} <= {
            name for name, (_, phase) in kinds.items() if phase == "TEXT"
        }
        assert good.taken == ["good.test"] * 20
        assert set(site.reported()) == refused
        assert set(site.reported().values()) == {"failed"}
        ended(site)


def test_TLS_that_fails_loses_nothing(site: Site) -> None:
    offers = ("STARTTLS", "PIPELINING", "8BITMIME")
    with contextlib.ExitStack() as stack:
        peers = {
            "refuses.test": site.elsewhere(
                stack, "refuses.test", offers=offers, answers={"STARTTLS": ["454 4.7.0 Not now"]}
            ),
            "never.test": site.elsewhere(stack, "never.test", offers=offers, answers={"STARTTLS": ["502 5.5.1 No"]}),
            "closes.test": site.elsewhere(stack, "closes.test", offers=offers, answers={"STARTTLS": ["CLOSE"]}),
            "stalls.test": site.elsewhere(stack, "stalls.test", offers=offers, answers={"STARTTLS": ["SILENCE"]}),
            "no-handshake.test": site.elsewhere(stack, "no-handshake.test", offers=offers),
            "no-tls.test": site.elsewhere(stack, "no-tls.test", offers=offers, secured=b"HTTP/1.0 400 x\r\n\r\n"),
            "alert.test": site.elsewhere(stack, "alert.test", offers=offers, secured=b"\x15\x03\x03\x00\x02\x02\x28"),
        }
        site.send(*peers)
        assert eventually(lambda: all(peer.connections for peer in peers.values()))
        eventually(lambda: all(peer.taken for peer in peers.values()), 5.0)
        for peer in peers.values():
            peer.heal()
        assert eventually(lambda: all(peer.taken for peer in peers.values()), 60.0), site.waiting()
        ended(site)
        assert all(len(peer.taken) == 1 for peer in peers.values())


def test_a_name_server_that_is_gone_or_lies_loses_nothing(site: Site) -> None:
    moods = {f"{mood.name.lower().replace('_', '-')}.test": mood for mood in Mood}
    with contextlib.ExitStack() as stack:
        peers = {name: site.elsewhere(stack, name) for name in (*moods, "gone.test", "liar.test", "back.test")}
        site.names.moods.update(moods)
        site.send(*moods)
        easy = ("honest.test", "slow.test", "no-edns.test", "truncated.test")
        assert eventually(lambda: all(peers[name].taken for name in easy))
        assert eventually(lambda: site.waiting() == set(moods) - set(easy))
        for lie in LIES:
            site.names.lie = lie
            site.send("liar.test")
        assert eventually(lambda: bool(site.rows("SELECT 1 FROM recipient WHERE reply LIKE '%cannot be looked up%'")))
        site.names.lie = None
        place = site.names.place
        site.names.stop()
        site.send("gone.test", "back.test")
        assert eventually(lambda: {"gone.test", "back.test"} <= site.waiting())
        assert site.reported() == {}
        with NameServer(site.names.zone, ttl=1, port=place[1]):
            assert eventually(lambda: all(peer.taken for peer in peers.values()), 60.0), site.waiting()
            ended(site)
        assert {name: len(peer.taken) for name, peer in peers.items()} == {
            name: len(LIES) if name == "liar.test" else 1 for name in peers
        }


def _another_id(query: bytes, truth: bytes) -> Sequence[bytes]:
    return [bytes([truth[0] ^ 0xFF]) + truth[1:]]


def _garbage(query: bytes, truth: bytes) -> Sequence[bytes]:
    return [b"\x00" * 5, truth[:20], query[:12] + b"\xc0\x0c" * 200]


def _another_question(query: bytes, truth: bytes) -> Sequence[bytes]:
    return [truth.replace(b"liar", b"evil")]


LIES: Sequence[Callable[[bytes, bytes], Sequence[bytes]]] = (_another_id, _garbage, _another_question)


def test_what_was_tried_when_the_server_stopped_is_sent_when_it_is_back(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        peers = {
            name_of("stall", phase): site.elsewhere(stack, name_of("stall", phase), answers={phase: ["SILENCE"]})
            for phase in PHASES
        }
        site.send(*peers)
        assert eventually(lambda: all(peer.connections for peer in peers.values()))
        with contextlib.suppress(subprocess.TimeoutExpired):
            site.server.stop(30.0)
        assert site.waiting() == set(peers)
        for peer in peers.values():
            peer.heal()
        site.server.start()
        assert eventually(lambda: all(peer.taken for peer in peers.values()), 60.0), site.waiting()
        ended(site)
