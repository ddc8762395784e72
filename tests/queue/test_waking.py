"""Wake-up mail: who proves that he may releases a hold by a message, once for each."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from worldmail.errors import NoSuchRecipient
from worldmail.interfaces.directory import NoSuchAddress, Resolution
from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.queue import Standing
from worldmail.interfaces.store import Onward
from worldmail.mail.address import Address
from worldmail.mail.envelope import Recipient
from worldmail.queue.releasing import OFTEN
from worldmail.queue.waking import LOOKED_AT, NotWoken, WokenTooOften, wake_word
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle
from worldmail.wire.wake_words import make_token

SECRET, WAKE = "open.sesame-1234", "wake@example.test"
HOLD = Hold(
    name="shop",
    domains=("shop.test",),
    release=Release.HOST,
    host="inner.test",
    port=25,
    accounts=frozenset({"shop@example.test"}),
    wake=WAKE,
    wake_secret=SECRET,
)
HELD = [("ann@shop.test", Standing.HELD.value)]


@pytest.fixture
def site() -> QueueSite:
    made = QueueSite.make()
    made.routes.set(holds=(HOLD,))
    made.start()
    made.accept("alice@example.test", "ann@shop.test")
    return made


def message(subject: str = "", text: str = "") -> bytes:
    return f"Received: from a\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


def wake(site: QueueSite, content: bytes = message("wake " + SECRET), account: str | None = None, *more: str) -> str:
    """A message that was accepted; its id."""
    made = site.acceptance("far@far.test", WAKE, *more, content=content)
    onward = tuple(evolve(one, wakes=one.recipient.address.key == WAKE) for one in made.onward)
    made = evolve(made, onward=onward, origin=evolve(made.origin, account=account))
    settle(site.node.acceptance.accept(made))
    site.advance(2)
    return made.id


def releases(site: QueueSite) -> list[dict[str, Any]]:
    return [fields for event, fields in site.journal.records if event == "release"]


@pytest.mark.parametrize(
    ("subject", "text", "word"),
    [
        ("wake abc", "def", "abc"),
        ("WAKE   abc ", "def", "abc"),
        ("wake\r\n abc", "", "abc"),
        ("hello", "\r\n  abc  \r\ndef", "abc"),
        ("wake", "wake abc", "abc"),
        ("wakeful abc", "", ""),
        ("wake a b", "", "a b"),
        ("wake " + "x" * 300, "abc", ""),
        ("", "", ""),
    ],
)
def test_one_word_of_a_message_counts(subject: str, text: str, word: str) -> None:
    assert wake_word(message(subject, text)) == word


def test_what_is_no_message_has_no_word_or_some_word() -> None:
    for content in (b"", b"\r\n", b"\r\n\r\n", b"abc", b"\0\xff\r\n\r\n\xff", b"a: b\r\n" * 100_000):
        assert len(wake_word(content)) <= 256


def test_the_secret_in_the_subject_releases_the_hold_and_is_kept_in_no_mailbox(site: QueueSite) -> None:
    id_ = wake(site)
    assert site.queued() == []
    assert site.events(id_) == ["accepted", "woke"]
    assert '"wakes": ["wake@example.test"]' in site.details(id_, "accepted")[0].replace('":[', '": [')
    assert "the hold shop is released, 1 message" in site.details(id_, "woke")[0]
    assert SECRET not in str(site.rows("SELECT detail FROM trace"))
    assert SECRET not in str(site.journal.records)
    [record] = releases(site)
    assert (record["trigger"], record["hold"], record["messages"], record["acceptance"]) == ("wake", "shop", 1, id_)
    assert not site.faults()


def test_what_it_let_go_says_which_message_it_was(site: QueueSite) -> None:
    [(waiting,)] = site.rows("SELECT acceptance FROM queued")
    id_ = wake(site)
    assert f"released by the wake-up message {id_} from 192.0.2.9" in site.details(waiting, "released")[0]


def test_one_of_its_accounts_needs_no_secret_and_another_does(site: QueueSite) -> None:
    with pytest.raises(NotWoken):
        wake(site, message(), "ann@example.test")
    assert site.queued() == HELD
    wake(site, message(), "Shop@example.test")
    assert site.queued() == []


def test_without_a_secret_of_the_hold_nothing_else_will_do(site: QueueSite) -> None:
    site.routes.set(holds=(evolve(HOLD, wake_secret=""),))
    for content in (message(), message("wake "), message("wake " + SECRET)):
        with pytest.raises(NotWoken):
            wake(site, content)
    assert site.queued() == HELD


@pytest.mark.parametrize("word", ["", "shop", SECRET[:-1], SECRET + "x", SECRET.upper(), "t1-0-" + "0" * 64])
def test_a_wrong_word_is_refused_and_nothing_of_the_message_is_kept(site: QueueSite, word: str) -> None:
    before = site.rows("SELECT count(*) FROM content")
    with pytest.raises(NotWoken):
        wake(site, message("wake " + word))
    assert site.queued() == HELD
    assert site.rows("SELECT count(*) FROM content") == before
    assert releases(site)[-1]["refused"]
    assert not site.faults()


def test_many_words_in_one_message_are_no_more_than_one(site: QueueSite) -> None:
    lines = "\r\n".join(["nothing", "wake " + SECRET, SECRET])
    with pytest.raises(NotWoken):
        wake(site, message("hello", lines))


def test_a_token_counts_once_and_an_older_one_never(site: QueueSite) -> None:
    now = site.clock.now()
    tokens = [message("wake " + make_token(SECRET, WAKE, now + seconds)) for seconds in (0, 1)]
    wake(site, tokens[1])
    assert site.queued() == []
    site.accept("alice@example.test", "ann@shop.test")
    for token in tokens:
        with pytest.raises(NotWoken):
            wake(site, token)
    assert site.queued() == HELD
    assert releases(site)[-1]["refused"] == "the token was used before"
    site.restart()
    with pytest.raises(NotWoken):
        wake(site, tokens[1])
    wake(site, message("wake " + make_token(SECRET, WAKE, site.clock.now())))
    assert site.queued() == []


def test_a_large_message_has_no_word_but_an_account_needs_none(site: QueueSite) -> None:
    large = message("hello", "x" * 70 + "\r\n" * LOOKED_AT)
    with pytest.raises(NotWoken):
        wake(site, large)
    wake(site, large, "shop@example.test")
    assert site.queued() == []


def test_a_flood_wakes_so_often_and_no_more(site: QueueSite) -> None:
    for _ in range(OFTEN):
        made = site.acceptance("far@far.test", content=message("wake " + SECRET))
        recipient = Recipient(address=Address.parse(WAKE))
        onward = (Onward(recipient=recipient, wakes=True),)
        settle(site.node.acceptance.accept(evolve(made, onward=onward)))
    with pytest.raises(WokenTooOften) as refused:
        wake(site)
    assert refused.value.temporary
    site.advance(61)
    wake(site)


def test_who_else_is_in_the_envelope_has_the_message_too_or_nobody_has(site: QueueSite) -> None:
    with pytest.raises(NotWoken):
        wake(site, message("wake no"), None, "ben@else.test")
    assert site.queued() == HELD
    wake(site, message("wake " + SECRET), None, "ben@else.test")
    assert sorted(address for _, address in site.elsewhere.taken) == ["ann@shop.test", "ben@else.test"]
    assert not site.faults()


def test_the_address_is_one_that_takes_mail_as_long_as_a_hold_names_it(site: QueueSite) -> None:
    expansion = evolve(site.expansion, wakes=lambda key: key in site.routes.triggers.waking)
    recipient = Recipient(address=Address.parse("Wake@Example.test"))
    nowhere = Resolution(address=recipient.address, destinations=(NoSuchAddress(address=recipient.address),))
    expanded = settle(expansion.expand(recipient, nowhere, None))
    assert expanded.onward == (Onward(recipient=recipient, wakes=True),)
    assert (expanded.deliveries, expanded.accounts) == ((), ())
    site.routes.set(holds=(evolve(HOLD, enabled=False),))
    with pytest.raises(NoSuchRecipient):
        settle(expansion.expand(recipient, nowhere, None))


def test_an_address_that_is_an_accounts_own_keeps_its_mail(site: QueueSite) -> None:
    site.routes.set(holds=(evolve(HOLD, wake="alice@example.test"),))
    expansion = evolve(site.expansion, wakes=lambda key: key in site.routes.triggers.waking)
    recipient = Recipient(address=Address.parse("alice@example.test"))
    resolution = settle(site.base.memory.directory.resolve(recipient.address))
    expanded = settle(expansion.expand(recipient, resolution, None))
    assert (len(expanded.deliveries), expanded.onward) == (1, ())
