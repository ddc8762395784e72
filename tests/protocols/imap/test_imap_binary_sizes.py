"""What came as binary has the size that it is given with, whoever asks for it (RFC 9051 §2.3.4, RFC 1939 §11)."""

from __future__ import annotations

import re
from functools import reduce
from typing import Any

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.structure import render_structure
from worldmail.protocols.pop3.text import text_effects
from worldmail.testing.imap import ImapClient, ImapServer
from worldmail.testing.real_store import RealStoreWorld, settle
from worldmail.testing.smtp_client import at_once
from worldmail.wire.effects import Stream

BINARY = b"Content-Transfer-Encoding: binary\r\n"
OCTETS = bytes(range(256)) * 3 + b"\r\n--no\n\r"


def part(kind: bytes, body: bytes, encoding: bytes = BINARY) -> bytes:
    """An entity."""
    return b"Content-Type: " + kind + b"\r\n" + encoding + b"\r\n" + body


def mixed(boundary: bytes, *parts: bytes) -> bytes:
    """A multipart of these."""
    body = b"".join(b"\r\n--%b\r\n%b" % (boundary, one) for one in parts)
    return part(b"multipart/mixed; boundary=" + boundary, b"before%b\r\n--%b--\r\nbehind\r\n" % (body, boundary))


IMAGE, TEXT = part(b"image/x", OCTETS), part(b"text/plain", b"one\r\ntwo\r\n", b"")
CORPUS = {
    "leaf": IMAGE,
    "empty leaf": part(b"image/x", b""),
    "whole lines of base64": part(b"image/x", b"x" * 57 * 4),
    "multipart": mixed(b"b", TEXT, IMAGE, TEXT),
    "multipart without anything binary": mixed(b"b", TEXT, TEXT),
    "multipart in multipart": mixed(b"outer", TEXT, mixed(b"outer2", IMAGE, IMAGE), IMAGE),
    "message in multipart": mixed(b"b", part(b"message/rfc822", b"Subject: in\r\n" + mixed(b"c", TEXT, IMAGE)), TEXT),
    "message in message": part(b"message/rfc822", b"Subject: in\r\n" + IMAGE),
    "bare line ends": mixed(b"b", part(b"text/plain", b"one\ntwo\rthree", b""), IMAGE),
    "bare line ends in the header": IMAGE.replace(b"\r\n", b"\n", 3),
    "a long header": b"X: " + b"y" * 70_000 + b"\r\n" + IMAGE,
    "deep": reduce(lambda inner, depth: mixed(b"%d" % depth, inner), range(7), IMAGE),
    "too deep": reduce(lambda inner, depth: mixed(b"%d" % depth, inner), range(9), IMAGE),
    "lines after all": TEXT,
    "text with bare line ends": part(b"text/plain", b"one\ntwo\rthree\r\n\n.\nfour\r\n", b""),
    "text with bare line ends and NUL": part(b"text/plain", b"one\n\0two\rthree\n", b""),
    "text with NUL": part(b"text/plain", b"one\r\n\0two\r\nthree\r\n", b""),
    "long text with bare line ends": part(b"text/plain", b"x" * 65_000 + b"\r\n" * 9_000 + b"\n\r", b""),
    "long text without": part(b"text/plain", b"one\r\n" * 60_000, b""),
    "a binary part in what does not say so": mixed(b"b", TEXT, IMAGE).replace(BINARY, b"", 1),
}


@pytest.fixture(params=[1 << 20, 100], ids=["in the database", "in the content store"])
def site(request: Any) -> ImapSite:
    """A server with bob and ann."""
    store = RealStoreWorld.make(inline_limit=request.param)
    made = ImapSite(store=store, server=ImapServer.over(store.world))
    for name in ("bob", "ann"):
        made.add(name)
    return made


def selected(site: ImapSite, octets: bytes) -> ImapClient:
    """Bob, with the octets as they were appended, as they came by mail, and as they were copied."""
    client = site.client()
    assert client.say(b"APPEND INBOX ~{}", b"Subject: x\r\n" + octets).status == b"OK"
    site.deliver("bob", b"Received: x\r\nSubject: x\r\n" + octets)
    client.say(b"SELECT INBOX")
    assert client.say(b"COPY 2 INBOX").status == b"OK"
    return client


def body(client: ImapClient, number: int, section: bytes = b"") -> bytes:
    """BODY[section]."""
    raw = client.say(b"FETCH %d BODY.PEEK[%b]" % (number, section)).raw
    head = re.search(rb"BODY\[[^]]*\] \{(\d+)\}\r\n", raw)
    assert head is not None, raw
    return raw[head.end() : head.end() + int(head[1])]


def told(client: ImapClient, number: int) -> int:
    """RFC822.SIZE."""
    found = re.search(rb"RFC822.SIZE (\d+)", client.say(b"FETCH %d RFC822.SIZE" % number).raw)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("octets", CORPUS.values(), ids=CORPUS)
def test_RFC822_SIZE_is_how_many_octets_BODY_gives(site: ImapSite, octets: bytes) -> None:
    client = selected(site, octets)
    sizes = [len(body(client, number)) for number in (1, 2, 3)]
    assert [told(client, number) for number in (1, 2, 3)] == sizes
    assert b"SIZE %d)" % sum(sizes) in client.say(b"STATUS INBOX (SIZE)").raw
    for number, size in enumerate(sizes, 1):
        assert client.say(b"SEARCH %d LARGER %d" % (number, size - 1)).untagged == [b"* SEARCH %d" % number]
        assert client.say(b"SEARCH %d LARGER %d" % (number, size)).untagged == [b"* SEARCH"]
        assert client.say(b"SEARCH %d SMALLER %d" % (number, size + 1)).untagged == [b"* SEARCH %d" % number]
        assert client.say(b"SEARCH %d SMALLER %d" % (number, size)).untagged == [b"* SEARCH"]


@pytest.mark.parametrize("octets", CORPUS.values(), ids=CORPUS)
def test_BODYSTRUCTURE_has_the_sizes_of_the_parts_as_BODY_gives_them(site: ImapSite, octets: bytes) -> None:
    client = selected(site, octets)
    for number in (1, 2, 3):
        structure = b"BODYSTRUCTURE " + render_structure(scan(body(client, number)))
        assert structure in client.say(b"FETCH %d BODYSTRUCTURE" % number).raw


@pytest.mark.parametrize("octets", CORPUS.values(), ids=CORPUS)
def test_POP3_tells_and_sends_as_many(site: ImapSite, octets: bytes) -> None:
    client = selected(site, octets)
    mailboxes = site.store.world.mailboxes
    for row in settle(mailboxes.messages(site.store.status(site.accounts["bob"]).id)):
        effects = settle(
            text_effects(mailboxes.content(row), octets=row.size, utf8=True, surrogates=False, aside=at_once)
        )
        sent = settle(joined(effects))
        first, _, text = sent.partition(b"\r\n")
        text = text.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
        assert first == b"+OK %d octets" % row.size
        assert len(text) == row.size
        assert text.translate(None, b"\0\x80") == body(client, row.uid).translate(None, b"\0\x80")


async def joined(effects: Any) -> bytes:
    """All octets of them."""
    sent = b""
    for effect in effects:
        if isinstance(effect, Stream):
            sent += b"".join([chunk async for chunk in effect.chunks])
        else:
            sent += effect
    return sent
