"""BURL over the real store: messages handed in by where they lie (RFC 4468)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.errors import NotAUrl, UrlNotResolved
from worldmail.interfaces.directory import Account
from worldmail.interfaces.urls import AS_IT_IS, Bearer, IUrls, UrlForm, UrlOctets
from worldmail.mail.imap_url import ImapUrl
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.settings import SmtpSettings
from worldmail.protocols.smtp.verbs import ROWS
from worldmail.testing.feeding import converse, cuts, loopback_peer
from worldmail.testing.real_store import RealStoreWorld, settle
from worldmail.testing.smtp import TLS, Talk

DRAFT = b"From: amy@example.test\r\nTo: bob@example.test\r\nSubject: draft\r\n\r\nhello\r\n"
HOST = "imap://amy%40example.test@mail.example.test"


@pytest.fixture
def site() -> Iterator[RealStoreWorld]:
    made = prepared()
    yield made
    settle(made.database.stop())


def prepared() -> RealStoreWorld:
    made = RealStoreWorld.make()
    for name in ("bob", "amy"):
        made.add_account(f"{name}@example.test", "secret")
    made.add(account(made, "amy"), DRAFT, mailbox="Drafts")
    return made


def account(site: RealStoreWorld, name: str) -> Account:
    return site.memory.directory.accounts[f"{name}@example.test"]


def sign(site: RealStoreWorld, rest: str, name: str = "amy", access: str = "submit+amy%40example.test") -> bytes:
    url = f"imap://{name}%40example.test@mail.example.test{rest};URLAUTH={access}"
    return settle(site.world.urls.sign(account(site, name), ImapUrl.parse(url))).encode()


def talk(
    site: RealStoreWorld,
    commands: bytes,
    *,
    name: bytes | None = b"amy",
    listener: str = "submission",
    to: bytes = b"RCPT TO:<bob@example.test>\r\n",
    mail: bytes = b"MAIL FROM:<amy@example.test>",
    **settings: Any,
) -> Talk:
    """What is said to these commands within a transaction."""
    session = make(site, listener, **settings)
    sign_in = b""
    if name is not None:
        sign_in = b"AUTH PLAIN " + base64.b64encode(b"\0%b@example.test\0secret" % name) + b"\r\n"
    text = b"EHLO a.test\r\n" + sign_in + mail + b"\r\n" + to + commands
    return Talk.of(settle(converse(session, [text], evolve(loopback_peer(), tls=TLS))))


def make(site: RealStoreWorld, listener: str = "submission", **settings: Any) -> Session:
    made = SmtpSettings(**settings)
    found = next(each for each in made.listeners if each.name == listener)
    return Session(Entrance.make(site.world, made, found, ROWS))


def held(site: RealStoreWorld, name: str = "bob") -> list[bytes]:
    """The messages in an INBOX."""
    mailbox = site.status(account(site, name)).id
    found = settle(site.world.messages.octets(mailbox, ((1, 99),)))
    return [octets or b"" for _, _, octets, _ in found]


def test_it_is_announced_for_submission_and_with_our_name_once_signed_in(site: RealStoreWorld) -> None:
    again = talk(site, b"RSET\r\nEHLO a.test\r\n")
    assert "250-BURL imap" in again.replies[1]
    assert "250-BURL imap imap://mail.example.test" in again.replies[-1]
    assert not any("BURL" in line for line in talk(site, b"", listener="smtp", name=None).replies[1])
    assert talk(site, b"BURL imap://x LAST\r\n", listener="smtp", name=None).codes[-1] == "502 5.5.1"


def test_a_draft_is_sent_by_its_url(site: RealStoreWorld) -> None:
    url = sign(site, "/Drafts/;UID=1")
    assert talk(site, b"BURL " + url + b" LAST\r\n").codes[-1] == "250 2.0.0"
    (message,) = held(site)
    assert message.endswith(DRAFT[DRAFT.index(b"From: ") :])
    assert b"Return-Path: <amy@example.test>\r\nDelivered-To: bob@example.test\r\nReceived: from a.test" in message
    assert b"with ESMTPSA" in message
    assert len(site.memory.journal.named("accepted")) == 1


def test_it_mixes_with_BDAT(site: RealStoreWorld) -> None:
    body = sign(site, "/Drafts/;UID=1/;SECTION=TEXT")
    commands = b"BDAT 16\r\nSubject: mixed\r\nBDAT 2\r\n\r\nBURL %b\r\nBDAT 5\r\nmore\nBURL %b last \r\n" % (body, body)
    codes = talk(site, commands.replace(b"more\n", b"more ")).codes
    assert codes[-5:] == ["250 2.0.0"] * 5
    assert held(site)[0].endswith(b"Subject: mixed\r\n\r\nhello\r\nmore hello\r\n")


@pytest.mark.parametrize(
    "url",
    [
        HOST + "/Drafts/;UID=1",
        "imap://mail.example.test/Drafts/;UID=1",
        "imap://amy@example.test@EXAMPLE.test/Drafts/;UID=1",
    ],
)
def test_ones_own_messages_need_no_authorisation(site: RealStoreWorld, url: str) -> None:
    assert talk(site, f"BURL {url} LAST\r\n".encode()).codes[-1] == "250 2.0.0"
    assert held(site)[0].endswith(b"hello\r\n")


@pytest.mark.parametrize("access", ["authuser", "anonymous", "user+amy%40example.test"])
def test_what_another_has_opened_may_be_sent(site: RealStoreWorld, access: str) -> None:
    site.add(account(site, "bob"), b"Subject: bob's\r\n\r\n", mailbox="Drafts")
    url = sign(site, "/Drafts/;UID=1", "bob", access)
    assert talk(site, b"BURL " + url + b" LAST\r\n").codes[-1] == "250 2.0.0"


def test_what_is_for_another_submitter_is_refused(site: RealStoreWorld) -> None:
    url = sign(site, "/Drafts/;UID=1")
    refused = talk(site, b"BURL " + url + b" LAST\r\nNOOP\r\n", name=b"bob", mail=b"MAIL FROM:<bob@example.test>")
    assert refused.replies[-2] == ["554 5.7.0 IMAP URL authorization failed"]
    assert held(site) == []
    shared = sign(site, "/Drafts/;UID=1", "amy", "user+amy%40example.test")
    refused = talk(site, b"BURL " + shared + b" LAST\r\n", name=b"bob", mail=b"MAIL FROM:<bob@example.test>")
    assert refused.codes[-1] == "554 5.7.0"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (HOST + "/Drafts/;UID=1;URLAUTH=submit+amy%40example.test:internal:" + "0" * 64, "554 5.7.0"),
        (HOST + "/Nowhere/;UID=1;URLAUTH=anonymous:internal:" + "0" * 64, "554 5.7.0"),
        ("imap://nobody@other.test/INBOX/;UID=1;URLAUTH=anonymous:internal:" + "0" * 64, "554 5.7.0"),
        (HOST + "/Drafts/;UID=1;URLAUTH=submit+amy%40example.test", "554 5.7.0"),
        ("imap://bob%40example.test@mail.example.test/INBOX/;UID=1", "554 5.7.8"),
        ("imap://other.test/INBOX/;UID=1", "554 5.7.8"),
        (HOST + "/Drafts/;UID=7", "554 5.6.6"),
        (HOST + "/Nowhere/;UID=1", "554 5.6.6"),
        (HOST + "/Drafts/;UID=1/;SECTION=4", "554 5.6.6"),
        (HOST + "/Drafts", "554 5.5.4"),
        ("http://mail.example.test/", "554 5.5.4"),
        ("imap://x y LAST", "501 5.5.4"),
        ("", "501 5.5.4"),
    ],
)
def test_a_url_that_fails_fails_the_transaction(site: RealStoreWorld, url: str, code: str) -> None:
    said = talk(site, f"BURL {url}\r\nBDAT 4 LAST\r\nrest".encode())
    assert said.codes[-2:] == [code, "503 5.5.1"]
    said = talk(site, f"BDAT 16\r\nSubject: begun\r\nBURL {url} LAST\r\nNOOP\r\n".encode())
    assert said.codes[-2:] == [code, "250 2.0.0"]
    assert held(site) == []


def test_nothing_is_resolved_without_a_recipient(site: RealStoreWorld) -> None:
    url = sign(site, "/Drafts/;UID=1")
    said = talk(site, b"BURL " + url + b" LAST\r\n", to=b"RCPT TO:<nobody@example.test>\r\n")
    assert said.codes[-2:] == ["550 5.1.1", "554 5.5.1"]
    said = talk(site, b"RSET\r\nBURL " + url + b" LAST\r\n")
    assert said.codes[-1] == "503 5.5.1"


def test_the_size_limit_counts_all_parts(site: RealStoreWorld) -> None:
    site.add(account(site, "amy"), b"Subject: big\r\n\r\n" + b"x" * 50_000 + b"\r\n", mailbox="Drafts")
    url = sign(site, "/Drafts/;UID=2")
    said = talk(site, b"BURL %b\r\nBURL %b LAST\r\nNOOP\r\n" % (url, url), message_size=64 * 1024)
    assert said.codes[-3:] == ["250 2.0.0", "552 5.3.4", "250 2.0.0"]
    assert held(site) == []


def test_large_messages_go_through_in_pieces(site: RealStoreWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"".join(b"%07d\r\n" % number for number in range(200_000))
    site.add(account(site, "amy"), b"Subject: large\r\n\r\n" + body, mailbox="Drafts")
    url = sign(site, "/Drafts/;UID=2")
    site.contents.reads.clear()
    assert talk(site, b"BURL " + url + b" LAST\r\n").codes[-1] == "250 2.0.0"
    largest = max(length for _, _, length in site.contents.reads)
    assert largest <= 256 * 1024
    # The header is looked at once more than the rest.
    assert sum(length for _, _, length in site.contents.reads) <= len(body) + 300 * 1024
    (row,) = settle(site.world.messages.stored(site.status(account(site, "bob")).id, ((1, 1),)))
    assert row.size > len(body)


def test_what_is_binary_goes_in_base64(site: RealStoreWorld) -> None:
    binary = b"From: amy@example.test\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\1"
    site.add(account(site, "amy"), binary, mailbox="Drafts")
    assert talk(site, b"BURL " + sign(site, "/Drafts/;UID=2") + b" LAST\r\n").codes[-1] == "250 2.0.0"
    assert b"AAoB" in held(site)[0] and b"base64" in held(site)[0]


def test_lines_that_are_none_are_refused_unless_the_client_said_BINARYMIME(site: RealStoreWorld) -> None:
    site.add(account(site, "amy"), b"Subject: x\r\n\r\na\nb", mailbox="Drafts")
    command = b"BURL " + sign(site, "/Drafts/;UID=2") + b" LAST\r\n"
    assert talk(site, command).replies[-1] == ["554 5.6.3 Conversion required but not supported"]
    said = talk(site, command, mail=b"MAIL FROM:<amy@example.test> BODY=BINARYMIME")
    assert said.codes[-1] == "250 2.0.0"


def test_refusals_are_recorded_without_the_url(site: RealStoreWorld) -> None:
    talk(site, b"BURL " + HOST.encode() + b"/Drafts/;UID=1;URLAUTH=anonymous:internal:" + b"0" * 64 + b" LAST\r\n")
    (record,) = site.memory.journal.named("refused")
    assert (record["stage"], record["enhanced"]) == ("BURL", "5.7.0")
    assert "internal" not in repr(record)


def test_a_revoked_key_and_an_expired_url_are_refused(site: RealStoreWorld) -> None:
    url = sign(site, "/Drafts/;UID=1;EXPIRE=2030-03-17T18:46:40Z")
    command = b"BURL " + url + b" LAST\r\n"
    assert talk(site, command).codes[-1] == "250 2.0.0"
    site.memory.clock.advance(3601)
    assert talk(site, command).codes[-1] == "554 5.7.0"
    url = sign(site, "/Drafts/;UID=1")
    settle(site.world.folders.reset_url_keys(account(site, "amy"), "Drafts"))
    assert talk(site, b"BURL " + url + b" LAST\r\n").codes[-1] == "554 5.7.0"


def test_the_same_however_it_is_cut() -> None:
    sign_in = b"AUTH PLAIN " + base64.b64encode(b"\0amy@example.test\0secret")
    text = b"\r\n".join(
        [
            b"EHLO a.test",
            sign_in,
            b"MAIL FROM:<amy@example.test>",
            b"RCPT TO:<bob@example.test>",
            b"BURL imap://mail.example.test/Drafts/;UID=1",
            b"BDAT 6 LAST\r\nmore\r\nMAIL FROM:<amy@example.test>",
            b"RCPT TO:<bob@example.test>",
            b"BURL imap://mail.example.test/Drafts/;UID=1 LAST",
            b"BURL imap://mail.example.test/Drafts/;UID=1 LAST",
            b"QUIT",
            b"",
        ]
    )
    for way, segments in cuts(text).items():
        site = prepared()
        said = Talk.of(settle(converse(make(site), segments, evolve(loopback_peer(), tls=TLS))))
        expected = ["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "250 2.1.0", "250 2.1.5", "250 2.0.0"]
        assert said.codes[3:] == [*expected, "503 5.5.1", "221 2.0.0"], way
        assert held(site)[0].endswith(DRAFT[-7:] + b"more\r\n")
        settle(site.database.stop())


@implementer(IUrls)
@define
class SlowUrls:
    """Leads to octets that come when the test says so."""

    more: Deferred[bytes] = field(factory=Deferred)

    async def sign(self, account: Account, url: ImapUrl) -> str:
        raise NotAUrl

    async def open(self, url: ImapUrl, bearer: Bearer, form: UrlForm = AS_IT_IS) -> UrlOctets:
        async def read() -> AsyncIterator[bytes]:
            yield b"Subject: slow\r\n\r\n"
            yield await self.more

        return UrlOctets(size=100, read=read)


@pytest.mark.parametrize("failed", [False, True])
def test_a_client_that_leaves_while_it_is_read_has_sent_nothing(site: RealStoreWorld, failed: bool) -> None:
    urls = SlowUrls()
    session = Session(evolve(make(site).entrance, world=evolve(site.world, urls=urls)))
    session.opened(evolve(loopback_peer(), tls=TLS))
    token = base64.b64encode(b"\0amy@example.test\0secret")
    for line in (
        b"EHLO a.test",
        b"AUTH PLAIN " + token,
        b"MAIL FROM:<amy@example.test>",
        b"RCPT TO:<bob@example.test>",
    ):
        settle(session.handle(line))
    waiting = Deferred.fromCoroutine(session.handle(b"BURL imap://mail.example.test/Drafts/;UID=1 LAST"))
    if failed:
        urls.more.errback(UrlNotResolved())
    else:
        session.closed("peer closed")
        urls.more.callback(b"x" * 84)
    (reply,) = settle(waiting)
    assert reply.startswith(b"554 5.6.6" if failed else b"451 ")
    assert session.transaction is None
    assert held(site) == []
