"""FETCH of many messages' octets (RFC 9051 §6.4.5): in parts of bounded size, whatever lies in between."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from worldmail.protocols.imap.fetch.large import TornAnswer
from worldmail.store.messages import messages as store_messages
from worldmail.testing.imap import ImapClient, ImapServer
from worldmail.testing.real_store import RealStoreWorld, settle

LIMIT = 20_000
SIZES = (3, 15_000, 30_000, 15_001, 10, 90_000, 15_002, 15_003, 11, 15_004) * 4
BODIES = [b"Subject: %d\r\n\r\n" % number + b"x" * size + b"\r\n" for number, size in enumerate(SIZES, 1)]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ImapClient:
    """Bob, with forty messages, some of them not in the database, of which few are read together."""
    monkeypatch.setattr(store_messages, "OCTETS_AT_ONCE", 40_000)
    store = RealStoreWorld.make(inline_limit=LIMIT)
    store.add(store.add_account("bob@example.test"), *BODIES)
    client = ImapServer.over(store.world).connect().login()
    client.say(b"SELECT INBOX")
    return client


def chunks(client: ImapClient, command: bytes) -> AsyncIterator[bytes]:
    """The answer to a command, as it is taken."""
    dialogue = client.conductor.dialogue
    dialogue.receive(b"x " + command + b"\r\n")
    (stream,) = settle(dialogue.handle(dialogue.next_event()))
    taken: AsyncIterator[bytes] = stream.chunks
    return taken


def whole(number: int, behind: bytes = b"") -> bytes:
    body = BODIES[number - 1]
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n%b%b)\r\n" % (number, number, len(body), body, behind)


def expunge(client: ImapClient, *uids: int) -> None:
    """Behind the session's back."""
    selected = client.session.selected
    assert selected is not None
    settle(selected.messages.expunge(selected.id, [(uid, uid) for uid in uids], deleted_only=False))


def test_all_come_once_and_in_order_however_they_are_read(client: ImapClient) -> None:
    done = client.say(b"FETCH 1:* (UID BODY.PEEK[])")
    assert done.raw.startswith(b"".join(whole(number) for number in range(1, 41)))
    some = client.say(b"UID FETCH 2,4,6:9,31:36 BODY.PEEK[]")
    assert some.raw.startswith(b"".join(whole(number) for number in (2, 4, 6, 7, 8, 9, *range(31, 37))))


def test_Seen_is_set_and_told_with_the_octets(client: ImapClient) -> None:
    told = client.say(b"FETCH 1:* (UID BODY[])").raw
    assert told.startswith(b"".join(whole(number, b" FLAGS (\\Seen \\Recent)") for number in range(1, 41)))
    assert client.say(b"FETCH 1:* (UID BODY[])").raw.startswith(b"".join(map(whole, range(1, 41))))


@pytest.mark.parametrize("gone", [(1,), (17, 18, 19), (38, 39, 40), tuple(range(2, 41)), tuple(range(3, 40, 2))])
def test_messages_that_go_meanwhile_are_left_out(client: ImapClient, gone: tuple[int, ...]) -> None:
    taken = chunks(client, b"FETCH 1:* (UID BODY.PEEK[])")
    first = settle(anext(taken))
    expunge(client, *gone)

    async def rest() -> bytes:
        return b"".join([chunk async for chunk in taken])

    answer = first + settle(rest())
    told = [int(number) for number in re.findall(rb"\* (\d+) FETCH", answer)]
    assert set(told) & set(gone) <= {1, 2}  # those were read by then
    assert set(range(1, 41)) - set(gone) <= set(told)
    assert told == sorted(set(told))
    lines = answer.split(b"\r\n")
    assert lines[-2].startswith(b"x NO [EXPUNGEISSUED]" if len(told) < 40 else b"x OK")
    for number in told:
        assert whole(number) in answer


def test_nothing_is_said_within_an_answer_that_cannot_be_ended(client: ImapClient) -> None:
    taken = chunks(client, b"FETCH 6 (BODY.PEEK[] BODY.PEEK[TEXT])")
    begun = settle(anext(taken)) + settle(anext(taken))
    assert begun.startswith(b"* 6 FETCH (BODY[] {90016}\r\n")
    expunge(client, 6)

    async def rest() -> bytes:
        return b"".join([chunk async for chunk in taken])

    with pytest.raises(TornAnswer):
        settle(rest())


def test_items_with_octets_and_without_come_in_the_order_in_which_they_were_asked_for(client: ImapClient) -> None:
    asked = (
        b"(BODY.PEEK[TEXT]<1.2> RFC822.SIZE BODY.PEEK[9] UID BODY.PEEK[HEADER.FIELDS (Subject)] FLAGS BINARY.SIZE[1])"
    )
    told = client.say(b"FETCH 2,6 " + asked).untagged
    assert told == [
        b"* %d FETCH (BODY[TEXT]<1> {2}\r\nxx RFC822.SIZE %d BODY[9] NIL UID %d BODY[HEADER.FIELDS (Subject)] {14}\r\n"
        b"Subject: %d\r\n\r\n FLAGS (\\Recent) BINARY.SIZE[1] %d)"
        % (number, len(BODIES[number - 1]), number, number, SIZES[number - 1] + 2)
        for number in (2, 6)
    ]


def test_a_name_with_a_percent_sign_stays_as_it_is(client: ImapClient) -> None:
    told = client.say(b"FETCH 1 (BODY.PEEK[HEADER.FIELDS (%d)] BODY.PEEK[HEADER.FIELDS.NOT (%s Subject)])")
    assert told.status == b"BAD"
    (line,) = client.say(b'FETCH 1 (BODY.PEEK[HEADER.FIELDS ("%d")] BODY.PEEK[HEADER.FIELDS.NOT ("%s")]<0.4>)').untagged
    given = b'* 1 FETCH (BODY[HEADER.FIELDS ("%d")] {2}\r\n\r\n BODY[HEADER.FIELDS.NOT ("%s")]<0> {4}\r\nSubj)'
    assert line == given


def test_as_many_copies_as_are_asked_for_make_the_pieces_no_larger(client: ImapClient) -> None:
    items = b" ".join(b"BODY.PEEK[]<%d.%d>" % (origin, 1 << 20) for origin in range(30))

    async def sizes() -> list[int]:
        return [len(chunk) async for chunk in chunks(client, b"FETCH 1:* (" + items + b")")]

    found = settle(sizes())
    assert sum(found) > 30 * sum(SIZES)
    assert max(found) < 30 * LIMIT
