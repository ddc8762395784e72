"""ETRN and ATRN: who may say them where, and what they are answered with (RFC 1985, RFC 2645)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from attrs import define, evolve, field
from zope.interface import implementer

from worldmail.errors import Refusal, TemporaryFailure
from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import IDialogue
from worldmail.interfaces.releases import (
    CannotRelease,
    IReleases,
    NotAllowed,
    NothingWaits,
    NotYours,
    ReleaseRequest,
    Started,
    TurnBusy,
    Wanted,
)
from worldmail.testing.fakes import PlainDialogue
from worldmail.testing.smtp import SmtpScene, Talk
from worldmail.wire.ready import Ready

LOGIN = b"EHLO site.test\r\nAUTH PLAIN AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\n"


@implementer(IReleases)
@define(kw_only=True)
class Releases:
    """Answers as it is told, and remembers."""

    messages: int = 0
    under_way: bool = False
    refusal: Refusal | None = None
    requests: list[ReleaseRequest] = field(factory=list)
    turns: list[tuple[str, Any]] = field(factory=list)
    stays: list[int] = field(factory=list)
    asking: str = ""

    def may_ask(self, client: str) -> bool:
        return client == self.asking

    def release(self, request: ReleaseRequest) -> Awaitable[Started]:
        self.requests.append(request)
        if self.refusal is not None:
            raise self.refusal
        return Ready(Started(messages=self.messages, under_way=self.under_way))

    def turn(
        self, account: Account, domains: Sequence[str] | None, session: str, stay: int = 0
    ) -> Awaitable[IDialogue]:
        self.turns.append((account.address.key, domains))
        self.stays.append(stay)
        if self.refusal is not None:
            raise self.refusal
        return Ready(PlainDialogue())


def play(client: bytes, releases: Releases | None = None, **changes: Any) -> Talk:
    def prepare(world: Any) -> None:
        world.world = evolve(world.world, releases=releases)

    return SmtpScene(prepare=prepare, **changes).play(client)


def at_odmr(client: bytes, releases: Releases | None = None) -> Talk:
    changes = {"role": "odmr", "name": "odmr"}
    return play(client, releases or Releases(), tls=True, listener="submission", changes=changes)


@pytest.mark.parametrize(
    ("argument", "wanted", "name"),
    [
        (b"shop.test", Wanted.DOMAIN, "shop.test"),
        (b"SHOP.Test.", Wanted.DOMAIN, "shop.test"),
        ("bücher.test".encode(), Wanted.DOMAIN, "xn--bcher-kva.test"),
        (b"@shop.test", Wanted.BELOW, "shop.test"),
        (b"#Shop_1", Wanted.QUEUE, "shop_1"),
        (b" shop.test ", Wanted.DOMAIN, "shop.test"),
    ],
)
def test_etrn_names_a_domain_what_lies_below_one_or_a_queue(argument: bytes, wanted: Wanted, name: str) -> None:
    releases = Releases(messages=3)
    talk = play(b"EHLO site.test\r\nETRN " + argument + b"\r\n", releases)
    assert talk.replies[-1] == [f"253 2.0.0 Ok, 3 pending messages for node {wanted.value}{name} started"]
    assert {(request.wanted, request.name) for request in releases.requests} == {(wanted, name)}


def test_etrn_says_that_nothing_waits() -> None:
    talk = play(b"EHLO site.test\r\nETRN shop.test\r\n", Releases())
    assert talk.replies[-1] == ["251 2.0.0 Ok, no messages waiting for node shop.test"]


def test_etrn_says_that_what_waited_is_under_way() -> None:
    talk = play(b"EHLO site.test\r\nETRN shop.test\r\n", Releases(under_way=True))
    assert talk.replies[-1] == ["252 2.0.0 Ok, pending messages for node shop.test started"]


@pytest.mark.parametrize(
    ("refusal", "reply"),
    [
        (NotAllowed, "459 4.7.1 Not allowed: node shop.test"),
        (CannotRelease, "458 4.3.0 Unable to queue messages: node shop.test"),
        (TemporaryFailure, "451 4.3.0"),
    ],
)
def test_etrn_that_is_refused_is_told_in_one_line(refusal: type[Refusal], reply: str) -> None:
    talk = play(b"EHLO site.test\r\nETRN shop.test\r\n", Releases(refusal=refusal()))
    [line] = talk.replies[-1]
    assert line.startswith(reply)


@pytest.mark.parametrize(
    "argument", [b"", b" ", b"@", b"#", b"a b", b"@#a", b"[192.0.2.1]", b"shop", b"#a/b", b"a..b", b"\xff"]
)
def test_etrn_with_what_names_nothing_is_a_syntax_error(argument: bytes) -> None:
    releases = Releases()
    assert play(b"EHLO site.test\r\nETRN " + argument + b"\r\n", releases).codes[-1][:3] == "501"
    assert not releases.requests


def test_etrn_has_its_place_between_transactions() -> None:
    talk = play(b"ETRN a.test\r\nEHLO a.test\r\nMAIL FROM:<>\r\nETRN a.test\r\nRSET\r\nETRN a.test\r\n", Releases())
    assert talk.codes == ["220", "503 5.5.1", "250", "250 2.1.0", "503 5.5.1", "250 2.0.0", "251 2.0.0"]


def test_etrn_tells_who_asks() -> None:
    releases = Releases()
    play(LOGIN + b"ETRN a.test\r\n", releases, listener="submission", tls=True)
    request = releases.requests[0]
    assert request.account is not None
    assert (request.client, request.account.address.key) == ("127.0.0.1", "bob@example.test")


def test_neither_is_announced_or_known_where_nothing_can_be_released() -> None:
    for releases, changes in ((None, {}), (Releases(), {"settings": {"etrn": False}})):
        talk = play(LOGIN + b"ETRN a.test\r\nATRN\r\n", releases, listener="submission", tls=True, **changes)
        assert "250-ETRN" not in talk.replies[1]
        assert "250-ATRN" not in talk.replies[1]
        assert talk.codes[-2:] == ["502 5.5.1", "502 5.5.1"]


def test_the_odmr_listener_knows_what_fetching_takes_and_nothing_else() -> None:
    talk = at_odmr(
        LOGIN + b"MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nETRN a.test\r\nVRFY x\r\nBDAT 0\r\nNOOP\r\n"
    )
    assert "250-ATRN" in talk.replies[1]
    assert any(line.startswith("250-AUTH ") for line in talk.replies[1])
    assert not any(word in line for line in talk.replies[1] for word in ("ETRN", "CHUNKING", "SIZE", "DSN"))
    assert talk.codes[3:] == ["502 5.5.1"] * 6 + ["250 2.0.0"]


def test_what_is_not_to_be_had_is_no_fault_of_the_command_before() -> None:
    talk = at_odmr(b"EHLO site.test\r\nMAIL FROM:<>\r\n")
    assert talk.codes[-1] == "502 5.5.1"  # replies to EHLO have no enhanced code (RFC 2034 §3)


def test_before_anybody_has_signed_in_atrn_is_refused() -> None:
    assert at_odmr(b"ATRN\r\nEHLO site.test\r\nATRN a.test\r\n").codes == ["220", "503 5.5.1", "250", "530 5.7.0"]


@pytest.mark.parametrize(
    ("argument", "domains"),
    [
        (b"", None),
        (b" a.test", ("a.test",)),
        (b" A.test,b.test,a.test", ("a.test", "b.test")),
    ],
)
def test_atrn_hands_the_connection_over(argument: bytes, domains: Any) -> None:
    releases = Releases()
    talk = at_odmr(LOGIN + b"ATRN" + argument + b"\r\n", releases)
    assert talk.replies[-1] == ["250 2.0.0 Ok, now reversing the connection"]
    assert set(releases.turns) == {("bob@example.test", domains)}
    assert talk.conversation.became


@pytest.mark.parametrize(
    "argument", [b"a.test, b.test", b",", b"a.test,", b"shop", b"[192.0.2.1]", b"@a.test", b"#q", b"a b"]
)
def test_atrn_with_what_names_no_domain_is_a_syntax_error(argument: bytes) -> None:
    releases = Releases()
    assert at_odmr(LOGIN + b"ATRN " + argument + b"\r\n", releases).codes[-1][:3] == "501"
    assert not releases.turns


@pytest.mark.parametrize(
    ("refusal", "code"), [(NotYours, "450 4.7.1"), (TurnBusy, "451 4.3.0"), (NothingWaits, "453 4.3.0")]
)
def test_atrn_that_is_refused_leaves_the_session_as_it_is(refusal: type[Refusal], code: str) -> None:
    talk = at_odmr(LOGIN + b"ATRN\r\nQUIT\r\n", Releases(refusal=refusal()))
    assert talk.codes[-2:] == [code, "221 2.0.0"]


def test_what_stands_behind_an_atrn_that_is_granted_ends_the_connection() -> None:
    def prepare(world: Any) -> None:
        world.world = evolve(world.world, releases=Releases())

    scene = SmtpScene(prepare=prepare, tls=True, listener="submission", changes={"role": "odmr", "name": "odmr"})
    talk = scene.play(LOGIN + b"ATRN\r\n250 Go ahead\r\n", ways=("whole",))
    assert talk.closed == "input behind ATRN"
    assert not talk.conversation.became


def test_a_listener_for_submission_hands_over_where_that_is_set() -> None:
    for on, code in ((True, "250 2.0.0"), (False, "502 5.5.1")):
        talk = play(LOGIN + b"ATRN\r\n", Releases(), listener="submission", tls=True, changes={"atrn": on})
        assert talk.codes[-1] == code
        assert ("250-ATRN" in talk.replies[1]) is on


def test_who_asks_for_what_is_not_his_again_and_again_is_sent_away() -> None:
    """Each such request is looked up and logged: a session makes no more of them than of other errors."""
    releases = Releases(refusal=NotAllowed())
    talk = play(b"EHLO site.test\r\n" + b"ETRN a.test\r\n" * 50, releases, settings={"errors": 5})
    assert talk.codes[2:] == ["459 4.7.1"] * 5 + ["421 4.7.0"]
    talk = at_odmr(LOGIN + b"ATRN a.test\r\n" * 50, Releases(refusal=NotYours()))
    assert talk.codes[3:] == ["450 4.7.1"] * 20 + ["421 4.7.0"]


def test_asking_without_end_is_no_work() -> None:
    talk = play(b"EHLO site.test\r\n" + b"ETRN a.test\r\n" * 50, Releases(), settings={"idle_commands": 10})
    assert talk.codes[2:] == ["251 2.0.0"] * 9 + ["421 4.7.0"]
    talk = at_odmr(LOGIN + b"ATRN\r\n" * 300, Releases(refusal=NothingWaits()))
    assert talk.codes[-1] == "421 4.7.0"


def test_a_turn_may_be_asked_to_stay() -> None:
    releases = Releases()
    talk = at_odmr(LOGIN + b"ATRN shop.test STAY=60\r\n", releases)
    assert [line for line in talk.replies[1] if line[4:] in ("ATRN", "XSTAY")] == ["250-ATRN", "250-XSTAY"]
    assert talk.codes[-1] == "250 2.0.0"
    assert (releases.turns[-1], releases.stays[-1]) == (("bob@example.test", ("shop.test",)), 60)
    at_odmr(LOGIN + b"ATRN stay=3600\r\n", releases)
    assert (releases.turns[-1], releases.stays[-1]) == (("bob@example.test", None), 3600)


@pytest.mark.parametrize(
    "argument",
    [b"STAY=9", b"STAY=3601", b"STAY=", b"STAY=x", b"STAY=1e2", b"STAY=60 shop.test", b"GO=60", b"STAY=60 STAY=60"],
)
def test_a_stay_that_cannot_be_read_is_refused(argument: bytes) -> None:
    releases = Releases()
    talk = at_odmr(LOGIN + b"ATRN " + argument + b"\r\n", releases)
    assert talk.codes[-1] == "501 5.5.4"
    assert not releases.turns


def test_without_tls_no_turn_stays() -> None:
    releases = Releases()
    changes = {"role": "odmr", "name": "odmr"}
    talk = play(b"EHLO a.test\r\n", releases, listener="submission", changes=changes)
    assert "XSTAY" not in str(talk.replies)
    assert "250-ATRN" in talk.replies[1]


SCRIPT = b"EHLO site.test\nETRN shop.test\nQUIT\n"


def test_a_script_that_ends_its_lines_in_lf_alone_may_ask_where_nobody_needs_to_sign_in() -> None:
    releases = Releases(messages=2, asking=SmtpScene().make_peer().host)
    talk = play(SCRIPT, releases)
    assert talk.codes == ["220", "250", "253 2.0.0", "221 2.0.0"]
    assert {request.name for request in releases.requests} == {"shop.test"}


@pytest.mark.parametrize(
    ("script", "asking"),
    [
        (SCRIPT, False),
        (b"NOOP\n", True),
        (b"MAIL FROM:<a@a.test>\n", True),
        (b"EHLO a.test\r\nMAIL FROM:<a@a.test>\r\nRSET\r\nETRN shop.test\n", True),
        (b"EHLO a.test\r\nMAIL FROM:<a@a.test>\r\nQUIT\n", True),
        (b"EHLO a\rb\n", True),
    ],
)
def test_elsewhere_an_lf_alone_ends_the_session(script: bytes, asking: bool) -> None:
    releases = Releases(messages=2, asking=SmtpScene().make_peer().host if asking else "")
    talk = play(script, releases)
    assert talk.codes[-1] == "500 5.5.2" and talk.closed in ("bare LF", "bare CR")
    assert releases.requests == []


def test_where_no_etrn_is_offered_an_lf_alone_ends_the_session() -> None:
    talk = play(SCRIPT, Releases(asking=SmtpScene().make_peer().host), settings={"etrn": False})
    assert talk.codes == ["220", "500 5.5.2"]
