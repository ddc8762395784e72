"""What a view has learnt reaches the client though something fails or is refused behind it."""

from __future__ import annotations

import pytest

from tests.protocols.imap.conftest import Blind, ImapSite
from worldmail.errors import TemporaryFailure
from worldmail.testing.imap import ImapClient

TEXT = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def unseen(site: ImapSite, monkeypatch: pytest.MonkeyPatch) -> Blind:
    """Bob has three messages."""
    site.store.add(site.accounts["bob"], TEXT, TEXT, TEXT)
    return Blind(site, monkeypatch, fails=False)


def selected(site: ImapSite, *enabled: bytes) -> ImapClient:
    client = site.client()
    for name in enabled:
        client.say(b"ENABLE " + name)
    client.say(b"SELECT INBOX")
    client.say(b"FETCH 1:* FLAGS")
    return client


def test_a_STORE_that_is_done_is_told_though_nobody_can_see_what_else_is_new(site: ImapSite, unseen: Blind) -> None:
    client = selected(site)
    site.store.add(site.accounts["bob"], TEXT)
    unseen.fails = True
    done = client.say(b"STORE 1 +FLAGS (\\Flagged)")
    assert (done.status, done.untagged) == (b"OK", [b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent))"])
    assert client.say(b"STORE 2 +FLAGS.SILENT (\\Flagged)").status == b"OK"
    unseen.fails = False
    assert client.say(b"NOOP").of(b"EXISTS") == [b"* 4 EXISTS"]


def test_what_is_in_a_mailbox_is_not_refused_afterwards(site: ImapSite, unseen: Blind) -> None:
    client = selected(site)
    unseen.fails = True
    appended = client.say(b"APPEND INBOX {+}", TEXT)
    assert (appended.status, (appended.code or b"")[:9]) == (b"OK", b"APPENDUID")
    moved = client.say(b"MOVE 1 Trash")
    assert (moved.status, moved.of(b"EXPUNGE")) == (b"OK", [])
    assert b"[COPYUID" in moved.untagged[0]
    client.say(b"STORE 2 +FLAGS.SILENT (\\Deleted)")
    assert client.say(b"EXPUNGE").status == b"OK"
    replaced = client.say(b"REPLACE 3 INBOX {+}", TEXT)
    assert (replaced.status, replaced.of(b"EXPUNGE")) == (b"OK", [])
    unseen.fails = False
    told = client.say(b"NOOP")
    assert told.of(b"EXPUNGE") == [b"* 3 EXPUNGE", b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
    assert told.of(b"EXISTS") == [b"* 2 EXISTS"]


def test_a_NOOP_that_cannot_see_what_is_new_is_refused(site: ImapSite, unseen: Blind) -> None:
    client = selected(site)
    site.store.add(site.accounts["bob"], TEXT)
    unseen.fails = True
    assert client.say(b"NOOP").code == b"UNAVAILABLE"


def test_who_has_to_come_back_is_told_from_where_also_if_that_cannot_be_seen(site: ImapSite, unseen: Blind) -> None:
    client, other = selected(site, b"QRESYNC"), selected(site)
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    client.say(b"NOOP")
    other.say(b"EXPUNGE")
    unseen.fails = True
    done = client.say(b"STORE 2 +FLAGS (\\Flagged)")
    modseq = site.store.status(site.accounts["bob"]).highestmodseq
    assert done.untagged == [
        b"* 2 FETCH (UID 2 MODSEQ (%d) FLAGS (\\Flagged \\Recent))" % modseq,
        b"* OK [HIGHESTMODSEQ %d] Highest" % (modseq - 2),
    ]


def test_a_refused_STORE_that_told_a_MODSEQ_tells_from_where_to_come_back(site: ImapSite, unseen: Blind) -> None:
    client, other = selected(site, b"QRESYNC"), selected(site)
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    client.say(b"NOOP")
    other.say(b"EXPUNGE")
    refused = client.say(b"STORE 1:3 +FLAGS (\\Flagged)")
    modseq = site.store.status(site.accounts["bob"]).highestmodseq
    assert refused.code == b"EXPUNGEISSUED"
    assert refused.untagged[-1] == b"* OK [HIGHESTMODSEQ %d] Highest" % (modseq - 2)
    assert client.say(b"NOOP").untagged == [b"* VANISHED 1", b"* OK [HIGHESTMODSEQ %d] Highest" % modseq]


@pytest.mark.parametrize("enabled", [b"CONDSTORE", b"IMAP4rev2", b"UIDONLY"])
def test_Seen_is_told_though_the_octets_cannot_be_read(
    site: ImapSite, monkeypatch: pytest.MonkeyPatch, enabled: bytes
) -> None:
    site.store.add(site.accounts["bob"], TEXT)
    client = selected(site, enabled)

    async def octets(*_: object, **__: object) -> None:
        raise TemporaryFailure

    with monkeypatch.context() as patched:
        patched.setattr(type(site.store.world.messages), "octets", octets)
        refused = client.say(b"UID FETCH 1 BODY[]")
    assert refused.code == b"UNAVAILABLE"
    assert [b"\\Seen" in line for line in refused.untagged] == [True]
    assert (b"MODSEQ" in refused.untagged[0]) == (enabled == b"CONDSTORE")


def test_Seen_is_told_though_a_part_cannot_be_decoded(site: ImapSite) -> None:
    part = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: secret\r\n\r\nx\r\n"
    site.store.add(site.accounts["bob"], part)
    client = selected(site)
    refused = client.say(b"FETCH 1 BINARY[1]")
    assert refused.code == b"UNKNOWN-CTE"
    assert refused.untagged == [b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))"]
