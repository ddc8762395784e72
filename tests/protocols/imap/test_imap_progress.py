"""INPROGRESS: how far a command is that takes long (RFC 9585)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.protocols.imap.conftest import ImapSite
from worldmail.interfaces.protocol import IReporting
from worldmail.protocols.imap.work import Work
from worldmail.testing.imap import ImapClient
from worldmail.testing.meeting import Meets, read_until

TEXT = b"From: a@example.test\r\nSubject: one of many\r\n\r\nText\r\n"


@pytest.fixture
def client(site: ImapSite) -> ImapClient:
    site.store.add(site.accounts["bob"], *[TEXT.replace(b"many", b"%d" % number) for number in range(400)])
    client = site.client()
    client.say(b"SELECT INBOX")
    return client


def asked_within(client: ImapClient, monkeypatch: Any, owner: Any, name: str) -> list[bytes]:
    """The reports that a driver would send, which asks at each call of this method."""
    reports: list[bytes] = []
    method: Callable[..., Any] = getattr(owner, name)

    def asking(*given: Any, **named: Any) -> Any:
        reports.append(client.session.working())
        return method(*given, **named)

    monkeypatch.setattr(type(owner), name, lambda self, *given, **named: asking(*given, **named))
    return reports


def test_it_is_announced(client: ImapClient) -> None:
    assert b" INPROGRESS" in client.say(b"CAPABILITY").raw
    assert verifyObject(IReporting, client.session)


def test_where_no_command_is_under_way_there_is_nothing_to_report(client: ImapClient) -> None:
    assert client.session.working() == b""
    client.idle()
    assert client.session.working() == b""
    client.done()
    client.say(b"FETCH 1:* BODY.PEEK[]")
    assert client.session.working() == b""
    assert client.say(b"NOTHING").status == b"BAD"
    assert client.session.working() == b""


@pytest.mark.parametrize("command", [b"COPY 1:* Trash", b"UID MOVE 1:* Trash", b"UID STORE 1:* +FLAGS (x)"])
def test_of_one_unit_it_is_told_that_it_goes_on(
    client: ImapClient, site: ImapSite, monkeypatch: Any, command: bytes
) -> None:
    name = {b"COPY": "copy", b"MOVE": "move", b"STORE": "change_flags"}[command.removeprefix(b"UID ").split()[0]]
    reports = asked_within(client, monkeypatch, site.store.world.messages, name)
    assert client.say(command).status == b"OK"
    assert reports == [b'* OK [INPROGRESS ("a%d" NIL NIL)] Still at it\r\n' % client.number]


@pytest.mark.parametrize(
    "command", [b"SORT (SUBJECT) UTF-8 ALL", b"THREAD REFERENCES UTF-8 ALL", b"SEARCH SENTON 1-Jan-2020"]
)
def test_of_summaries_the_messages_are_counted(
    client: ImapClient, site: ImapSite, monkeypatch: Any, command: bytes
) -> None:
    reports = asked_within(client, monkeypatch, site.store.world.summaries, "summaries")
    assert client.say(command).status == b"OK"
    tag = b"a%d" % client.number
    assert reports == [
        b'* OK [INPROGRESS ("%b" 0 400)] 0 per cent are done\r\n' % tag,
        b'* OK [INPROGRESS ("%b" 300 400)] 75 per cent are done\r\n' % tag,
    ]


def test_of_a_search_in_texts_what_is_left_to_be_read_is_told(
    client: ImapClient, site: ImapSite, monkeypatch: Any
) -> None:
    reports = []

    async def holding(*given: Any, left: Callable[[int], None], **named: Any) -> frozenset[int]:
        for count in (400, 100, 250, 0):
            left(count)
            reports.append(client.session.working())
        return frozenset()

    monkeypatch.setattr(type(site.store.world.search), "holding", holding)
    client.say(b"SEARCH BODY text")
    states = [report.partition(b'"a%d" ' % client.number)[2].partition(b")")[0] for report in reports]
    assert states == [b"0 400", b"300 400", b"300 400", b"399 400"]  # never back, and never there


def test_of_a_search_in_several_mailboxes_all_their_messages_are_counted(
    client: ImapClient, site: ImapSite, monkeypatch: Any
) -> None:
    client.say(b"COPY 1:200 Trash")
    reports = asked_within(client, monkeypatch, site.store.world.summaries, "summaries")
    client.say(b"ESEARCH IN (mailboxes (INBOX Trash)) SENTON 1-Jan-2020")
    states = [report.partition(b'"a%d" ' % client.number)[2].partition(b")")[0] for report in reports]
    assert states == [b"0 600", b"300 600", b"400 600"]


def test_a_long_FETCH_counts_what_it_told(client: ImapClient, site: ImapSite, monkeypatch: Any) -> None:
    reports = asked_within(client, monkeypatch, site.store.world.messages, "stored")
    client.say(b"FETCH 1:* INTERNALDATE")
    assert reports[0] == b'* OK [INPROGRESS ("a%d" 0 400)] 0 per cent are done\r\n' % client.number
    assert reports[1] == b'* OK [INPROGRESS ("a%d" 256 400)] 64 per cent are done\r\n' % client.number


def test_nothing_is_reported_within_a_literal(client: ImapClient, site: ImapSite, monkeypatch: Any) -> None:
    site.store.add(site.accounts["bob"], b"A: b\r\n\r\n" + b"0123456789abcdef\r\n" * 200_000)
    reports = asked_within(client, monkeypatch, site.store.world.messages, "read")
    assert client.say(b"FETCH 400:* BODY.PEEK[]").status == b"OK"
    assert reports
    assert set(reports) == {b""}
    assert client.session.working() == b""


def test_a_tag_that_a_response_code_cannot_hold_is_not_told() -> None:
    assert Work(b"a]").report() == b"* OK [INPROGRESS (NIL NIL NIL)] Still at it\r\n"


class ReportTests(Meets):
    """The same, over real connections on the loopback."""

    def test_a_client_that_waits_for_a_long_search_is_told(self) -> Any:
        async def test() -> None:
            site = ImapSite.make()
            site.store.add(site.accounts["bob"], *[TEXT] * 10)
            found: Deferred[frozenset[int]] = Deferred()

            def holding(*given: Any, left: Callable[[int], None], **named: Any) -> Deferred[frozenset[int]]:
                left(6)
                return found

            self.patch(type(site.store.world.search), "holding", holding)
            meeting = self.meet(make=site.server.sessions)
            connection = await self.client(self.connect)
            await self.client(lambda: read_until(connection, b"\r\n"))
            meeting.dialogues[0].enter(site.accounts["bob"], lambda: None)
            connection.sendall(b"a SELECT INBOX\r\nb SEARCH BODY x\r\nc NOOP\r\n")
            await self.client(lambda: read_until(connection, b"a OK [READ-WRITE] Selected\r\n"))
            [driven] = meeting.factory.connections
            driven.look(driven.deadline)
            told = await self.client(lambda: read_until(connection, b"\r\n"))
            assert told == b'* OK [INPROGRESS ("b" 4 10)] 40 per cent are done\r\n'
            found.callback(frozenset())
            told = await self.client(lambda: read_until(connection, b"c OK NOOP completed\r\n"))
            assert told == b"* SEARCH\r\nb OK SEARCH completed\r\nc OK NOOP completed\r\n"
            connection.close()

        return self.run_async(test())
