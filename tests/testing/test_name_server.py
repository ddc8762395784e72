"""The name server for tests, asked by others than our resolver."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from worldmail.testing.names import Mood, NameServer, Zone, read_zone

ZONE: Zone = {
    "a.test": {"MX": ["10 mx.a.test"], "TXT": ['"x y"']},
    "alias.a.test": {"CNAME": ["mx.a.test."]},
    "mx.a.test": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
}
FILE = """
$TTL 60
a.test MX 10 mx.a.test.
a.test TXT "x y"
alias.a.test. CNAME mx.a.test
mx.a.test A 192.0.2.1
mx.a.test AAAA 2001:db8::1
"""


def ask(port: int, name: str, kind: str, edns: bool = True, by_tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0 if edns else False)
    way = dns.query.tcp if by_tcp else dns.query.udp
    return way(query, "127.0.0.1", port=port, timeout=10)


def lines(answer: dns.message.Message) -> set[str]:
    return {line for records in answer.answer for line in records.to_text().splitlines()}


@pytest.mark.parametrize("by_tcp", [False, True])
def test_it_answers_from_its_records(by_tcp: bool) -> None:
    with NameServer(ZONE, ttl=7) as names:
        port = names.place[1]
        assert lines(ask(port, "a.test", "MX", by_tcp=by_tcp)) == {"a.test. 7 IN MX 10 mx.a.test."}
        assert lines(ask(port, "alias.a.test", "A", by_tcp=by_tcp)) == {
            "alias.a.test. 7 IN CNAME mx.a.test.",
            "mx.a.test. 7 IN A 192.0.2.1",
        }
        for name, kind, rcode in (("a.test", "A", 0), ("test", "MX", 0), ("b.test", "MX", 3)):
            answer = ask(port, name, kind, by_tcp=by_tcp)
            assert (answer.rcode(), answer.answer, len(answer.authority)) == (rcode, [], 1)
        assert names.asked["b.test", "MX"] == 1
        assert names.asked_by_tcp["b.test", "MX"] == by_tcp


def test_its_records_can_change() -> None:
    with NameServer(ZONE) as names:
        names.set("A.test.", mx=["5 other.test"])
        assert lines(ask(names.place[1], "a.test", "MX")) == {"a.test. 300 IN MX 5 other.test."}
        assert ask(names.place[1], "a.test", "TXT").answer == []


def test_it_behaves_as_it_is_told() -> None:
    with NameServer(ZONE) as names:
        port = names.place[1]
        for mood, rcode in ((Mood.SERVFAIL, 2), (Mood.REFUSED, 5), (Mood.NO_EDNS, 1)):
            names.mood = mood
            assert ask(port, "a.test", "MX").rcode() == rcode
        assert lines(ask(port, "a.test", "MX", edns=False))
        names.mood = Mood.TRUNCATED
        assert ask(port, "a.test", "MX").flags & dns.flags.TC
        assert lines(ask(port, "a.test", "MX", by_tcp=True))
        names.mood = Mood.NO_TCP
        with pytest.raises(EOFError):
            ask(port, "a.test", "MX", by_tcp=True)
        names.moods["mx.a.test"] = Mood.HONEST
        assert lines(ask(port, "mx.a.test", "A"))


def test_a_long_answer_is_cut_where_the_asker_says() -> None:
    with NameServer({"long.test": {"TXT": [f'"{number:0200}"' for number in range(4)]}}) as names:
        port = names.place[1]
        assert len(lines(ask(port, "long.test", "TXT"))) == 4
        assert ask(port, "long.test", "TXT", edns=False).flags & dns.flags.TC


def test_its_port_is_free_when_it_stopped() -> None:
    with NameServer(ZONE) as names:
        port = names.place[1]
    with NameServer(ZONE, port=port) as again:
        assert again.setting == f"127.0.0.1:{port}"


def test_it_listens_where_nobody_else_is_alone() -> None:
    with NameServer(ZONE, address="127.0.0.2") as names:
        assert names.place[0] == "127.0.0.2"
    with pytest.raises(AssertionError):
        NameServer(ZONE, address="10.0.0.1")


def test_a_zone_file_is_read() -> None:
    assert read_zone(FILE) == {
        name: {
            kind: [text if kind in ("TXT", "A", "AAAA") else text.removesuffix(".") + "." for text in data]
            for kind, data in records.items()
        }
        for name, records in ZONE.items()
    }


def test_it_serves_a_zone_file_as_a_script(tmp_path: Path) -> None:
    (tmp_path / "zone").write_text(FILE)
    command = [sys.executable, "-m", "worldmail.testing.names", str(tmp_path / "zone"), "--ttl", "9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            host, _, port = process.stdout.readline().strip().partition(":")
            assert host == "127.0.0.1"
            assert lines(ask(int(port), "a.test", "TXT")) == {'a.test. 9 IN TXT "x y"'}
        finally:
            process.terminate()
