"""`worldmail trace`: one message from its acceptance to what the last server said, in words."""

from __future__ import annotations

import re
import smtplib
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest
from attrs import frozen

from tests.cli.conftest import Answer, Commands
from worldmail.testing.process import ServerProcess

MESSAGE = "Message-ID: <one@two.test>\r\nSubject: x\r\n\r\ncontent that no trace may show\r\n"
WITHIN = 30.0


class _Session(socketserver.StreamRequestHandler):
    """Takes mail; who is called "later" is put off, who is called "never" refused."""

    def handle(self) -> None:
        self._say("220 peer.test ESMTP")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"RCPT" and b"later" in line:
                self._say("451 4.7.1 Come \x1b[31m again")
            elif word == b"RCPT" and b"never" in line:
                self._say("550 5.1.1 Nobody here of that name")
            elif word == b"DATA":
                self._say("354 Go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                self._say("250 2.0.0 Kept as 4711")
            else:
                self._say("221 Bye" if word == b"QUIT" else "250 peer.test")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _Peer(socketserver.ThreadingTCPServer):
    daemon_threads = True


@frozen
class Sending:
    """A server that sends on to one other, and commands on it."""

    site: ServerProcess
    worldmail: Commands

    def send(self, *recipients: str, sender: str = "postmaster@example.test") -> None:
        """A message to these."""
        with smtplib.SMTP("127.0.0.1", self.site.port(25), timeout=30) as client:
            client.sendmail(sender, list(recipients), MESSAGE)

    def trace(self, key: str, until: str) -> Answer:
        """What is told, once it matches."""
        end = time.monotonic() + WITHIN
        while True:
            answer = self.worldmail("trace", key)
            if re.search(until, answer.out) is not None:
                return answer
            assert time.monotonic() < end, answer
            time.sleep(0.2)


@pytest.fixture
def sending(site: ServerProcess, worldmail: Commands) -> Iterator[Sending]:
    """The site sends everything to a server of ours, for anybody."""
    with _Peer(("127.0.0.1", 0), _Session) as peer:
        serving = threading.Thread(target=peer.serve_forever)
        serving.start()
        try:
            worldmail.ok("route", "add", "peer", "via=host", "host=127.0.0.1", f"port={peer.server_address[1]}")
            site.configure({"policy": {"relay_networks": ["127.0.0.0/8"]}})
            site.start()
            yield Sending(site, worldmail)
        finally:
            peer.shutdown()
            serving.join()


def test_a_message_is_followed_to_the_last_reply_for_each_recipient(sending: Sending) -> None:
    sending.send("a@far.test", "later@far.test", "never@far.test", "postmaster@example.test")
    said = sending.trace("<one@two.test>", "deferred").out
    message, report = said.split("\n\n")
    lines = [line.partition("  ")[2] for line in message.strip().splitlines()]
    id_ = re.match(r"(\w{16}): from postmaster@example.test to a@far.test, later@far.test, never", message)
    assert id_ is not None and "Message-ID <one@two.test>" in message
    expected = (
        r"\d{4}-\d\d-\d\d UTC",
        r"TIME  accepted from 127.0.0.1 by ESMTP: in the mailbox of postmaster@example.test, "
        r"to be sent on to a@far.test, later@far.test, never@far.test",
        r"TIME  handed to SERVER for a@far.test: 250 2.0.0 Kept as 4711",
        r"TIME  deferred for later@far.test by SERVER: 451 4.7.1 Come \S+ again \(attempt 1, next try (.* )?TIME\)",
        r"TIME  failed for never@far.test by SERVER: 550 5.1.1 Nobody here of that name",
        r"TIME  postmaster@example.test is told by the report \w{16}",
        r"now       later@far.test waits: tried 1 time, next try (.* )?TIME, given up .*TIME; said last: 451 .*",
    )
    for line, pattern in zip(lines[1:], expected, strict=True):
        pattern = pattern.replace("TIME", r"\d\d:\d\d:\d\d").replace("SERVER", r"\[127\.0\.0\.1\]:\d+")
        assert re.fullmatch(pattern, line), (pattern, line)
    assert "\x1b" not in said
    assert re.match(r"(\w{16}): from <> to postmaster", report)
    assert f"a report on {id_[1]}: in the mailbox of postmaster@example.test" in report
    assert "content that" not in said


def test_what_administrators_do_is_told_and_the_end(sending: Sending) -> None:
    sending.send("later@far.test")
    (id_,) = re.findall(r"^\w{16}", sending.trace("later@far.test", "deferred").out)
    for word in ("hold", "release"):
        sending.worldmail.ok("queue", word, id_)
        if word == "hold":
            assert "later@far.test is held until it is released, tried 1 time" in sending.trace(id_, "held").out
    sending.worldmail.ok("queue", "redirect", id_, "--to", "b@far.test")
    said = sending.trace("b@far.test", "nothing of it waits").out
    assert "an administrator holds it back: later@far.test" in said
    assert "an administrator sends it to b@far.test in place of later@far.test" in said
    assert "for b@far.test: 250 2.0.0 Kept as 4711" in said


def test_machines_get_every_record_as_it_is_kept(sending: Sending) -> None:
    sending.send("a@far.test")
    sending.trace("a@far.test", "nothing of it waits")
    accepted, delivered = sending.worldmail.ok("trace", "a@far.test", "--json").json
    assert set(accepted) == set(delivered) == {"at", "acceptance", "event", "detail"}
    assert (accepted["event"], accepted["detail"]["queued"]) == ("accepted", ["a@far.test"])
    assert (delivered["event"], delivered["detail"]["to"]) == ("delivered", ["a@far.test"])
    assert delivered["detail"]["said"] == "250 2.0.0 Kept as 4711"


def test_of_an_address_with_many_messages_the_latest_are_told(site: ServerProcess, worldmail: Commands) -> None:
    site.start()
    with smtplib.SMTP("127.0.0.1", site.port(25), timeout=30) as client:
        for number in range(3):
            client.sendmail(f"{number}@far.test", ["postmaster@example.test"], MESSAGE)
    answer = worldmail.ok("trace", "postmaster@example.test", "--limit", "2")
    assert "1@far.test" in answer.out and "2@far.test" in answer.out and "0@far.test" not in answer.out
    assert "--limit gives more" in answer.err
    assert len(worldmail.ok("trace", "postmaster@example.test", "--json").json) == 3
