"""Whatever stands behind the words of the verbs about mailboxes, there is an answer."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worldmail.testing.imap import ImapClient, ImapServer
from worldmail.testing.real_store import RealStoreWorld

WORDS = (
    b"LIST",
    b"LSUB",
    b"STATUS",
    b"CREATE",
    b"DELETE",
    b"RENAME",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"GETACL",
    b"SETACL",
    b"DELETEACL",
    b"LISTRIGHTS",
    b"MYRIGHTS",
    b"GETQUOTA",
    b"GETQUOTAROOT",
    b"GETMETADATA",
    b"SETMETADATA",
    b"NOTIFY",
)
TOKENS = (
    *b"SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE RETURN CHILDREN STATUS MYRIGHTS METADATA".split(),
    *b"MESSAGES UIDNEXT RECENT HIGHESTMODSEQ USE \\Sent \\All anyone -ann ann lrs +d -x".split(),
    *b"DEPTH MAXSIZE infinity 0 1 NIL NONE SET SELECTED SELECTED-DELAYED PERSONAL SUBTREE".split(),
    *b"MAILBOXES MessageNew MessageExpunge FlagChange FLAGS BODY[] UID".split(),
    *b'INBOX inbox/a a a/b "" "*" % * a%b &AOQ- & "a\\"b" /private/comment /shared /private/a* "x"'.split(),
    *b'( ) [ ] { } {3} ~{3} " \\'.split(),
    b'"Other Users/ann@example.test/Ours"',
    b'"Shared Folders"',
    b'"\xc3\xa4"',
    b'"\xff"',
    b"\x01",
)
arguments = st.lists(st.sampled_from(TOKENS), max_size=9)
glue = st.lists(st.sampled_from([b" ", b" ", b" ", b"", b"(", b")", b" (", b") "]), min_size=9, max_size=9)


@pytest.fixture(scope="module")
def clients() -> tuple[ImapClient, ImapClient]:
    """Bob, who says anything, and Ann, of whom something is shared."""
    store = RealStoreWorld.make()
    store.add_account("bob@example.test")
    store.add_account("ann@example.test")
    server = ImapServer.over(store.world, errors=0)
    bob, ann = server.connect().login(), server.connect().login(b"ann@example.test")
    ann.say(b"CREATE Ours")
    ann.say(b"SETACL Ours bob@example.test lrswipkxte")
    return bob, ann


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=st.sampled_from(WORDS), tokens=arguments, between=glue)
def test_every_command_is_answered(
    clients: tuple[ImapClient, ImapClient], word: bytes, tokens: list[bytes], between: list[bytes]
) -> None:
    bob, _ = clients
    line = word + b" " + b"".join(token + space for token, space in zip(tokens, between, strict=False)).rstrip(b" ")
    answer = bob.say(line.replace(b"{3}", b"abc").replace(b"{", b"").rstrip(b"}"))
    assert answer.status in (b"OK", b"NO", b"BAD"), line
    assert bob.closed is None
    assert bob.say(b"NOOP").status == b"OK"
