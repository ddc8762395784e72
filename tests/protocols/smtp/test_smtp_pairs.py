"""XJOIN and XRECIPIENTS: who may say them where, and what they are answered with."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

import pytest
from attrs import define, evolve, field
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.errors import BadValue, Refusal, TemporaryFailure, TooManyRequests
from worldmail.interfaces.pairs import CannotJoin, End, IPairs, IRelayEnd, Joined, Known, Pair
from worldmail.protocols.smtp.paired import (
    MAXIMUM_LISTS,
    joined_lines,
    parse_join,
    read_joined,
    read_lists,
    write_lists,
)
from worldmail.testing.smtp import SmtpScene, Talk
from worldmail.wire.ready import Ready

LOGIN = b"EHLO site.test\r\nAUTH PLAIN AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\nEHLO site.test\r\n"
SECRET = b"0123456789abcdef"
CODE = base64.urlsafe_b64encode(SECRET).rstrip(b"=")
PASSWORD = b"p" * 43
SITE = Pair(name="shop", end=End.RELAY, account="bob@example.test", domains=("shop.test", "b.test"), joined=1)
JOINED = Joined(
    account="bob@example.test",
    hold="shop",
    domains=("shop.test", "b.test"),
    submission=465,
    starttls=False,
    host="mx.a.test",
)


@implementer(IPairs)
@define
class Pairs:
    """One site, or none."""

    one: Pair | None = None

    def site(self, account: str) -> Pair | None:
        return self.one if self.one is not None and self.one.account == account else None

    def relay(self, name: str) -> Pair | None:
        return None

    def pairs(self) -> Sequence[Pair]:
        return [self.one] if self.one is not None else []


@implementer(IRelayEnd)
@define
class Relay:
    """Answers as it is told, and remembers."""

    inviting: bool = True
    refusal: Exception | None = None
    tries: list[tuple[bytes, str]] = field(factory=list)
    lists: list[list[Known]] = field(factory=list)

    def join(self, secret: bytes, password: str, client: str, session: str) -> Awaitable[Joined]:
        self.tries.append((secret, password))
        if self.refusal is not None:
            raise self.refusal
        return Ready(JOINED)

    def facts(self, site: Pair) -> Joined:
        return JOINED

    def replace_recipients(self, site: Pair, lists: Iterable[Known]) -> Awaitable[int]:
        if self.refusal is not None:
            raise self.refusal
        self.lists.append(list(lists))
        return Ready(len(self.lists[-1]))


def play(
    client: bytes, relay: Relay | None = None, site: Pair | None = SITE, *, tls: bool = True, **scene: Any
) -> Talk:
    """At a listener where mail is fetched."""

    def prepare(world: Any) -> None:
        world.world = evolve(world.world, relay_end=relay or Relay(), pairs=Pairs(site))

    given = {"listener": "submission", "changes": {"role": "odmr", "name": "odmr"}} | scene
    return SmtpScene(prepare=prepare, tls=tls, **given).play(client)


def announced(talk: Talk) -> set[str]:
    """The words of ours in the last reply to EHLO."""
    lines = [reply for reply in talk.replies if reply[0].startswith("250-mail") or "PIPELINING" in str(reply)][-1]
    return {line[4:].split()[0] for line in lines} & {"XJOIN", "XRECIPIENTS"}


def test_the_fakes_are_what_they_stand_for() -> None:
    assert verifyObject(IPairs, Pairs()) and verifyObject(IRelayEnd, Relay())


def test_each_is_announced_to_whom_it_is_for() -> None:
    assert announced(play(b"EHLO a.test\r\n")) == {"XJOIN"}
    assert announced(play(b"EHLO a.test\r\n", Relay(inviting=False))) == set()
    assert announced(play(b"EHLO a.test\r\n", tls=False)) == set()
    assert announced(play(b"EHLO a.test\r\n", changes={})) == set()  # a listener where nothing is fetched
    assert announced(play(b"EHLO a.test\r\n", changes={"atrn": True})) == {"XJOIN"}
    assert announced(play(LOGIN)) == {"XJOIN", "XRECIPIENTS"}
    assert announced(play(LOGIN, site=None)) == set()


def test_a_site_joins_and_is_told_what_it_needs() -> None:
    relay = Relay()
    talk = play(b"EHLO a.test\r\nXJOIN " + CODE + b" " + PASSWORD + b"\r\n", relay)
    assert talk.replies[-1] == [
        "250-2.0.0 Joined",
        "250-2.0.0 account=bob@example.test",
        "250-2.0.0 hold=shop",
        "250-2.0.0 domains=shop.test,b.test",
        "250-2.0.0 submission=465",
        "250-2.0.0 host=mx.a.test",
        "250 2.0.0 Joined",
    ]
    assert relay.tries[-1] == (SECRET, PASSWORD.decode())


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(CannotJoin(), "550 5.7.1"), (TemporaryFailure(), "451 4.3.0"), (TooManyRequests(), "421 4.7.0")],
)
def test_what_is_refused_is_told(refusal: Refusal, code: str) -> None:
    talk = play(b"EHLO a.test\r\nXJOIN " + CODE + b" " + PASSWORD + b"\r\n", Relay(refusal=refusal))
    assert talk.codes[-1] == code


def test_in_the_clear_a_secret_is_not_even_looked_at() -> None:
    relay = Relay()
    talk = play(b"EHLO a.test\r\nXJOIN " + CODE + b" " + PASSWORD + b"\r\n", relay, tls=False)
    assert talk.codes[-1] == "530 5.7.0" and not relay.tries


@pytest.mark.parametrize(
    "argument", [b"x", CODE, CODE + b"= " + PASSWORD, CODE + b" p", b"a" * 17 + b" " + PASSWORD, b"? ?", b"\xff " * 9]
)
def test_what_cannot_be_read_is_a_syntax_error(argument: bytes) -> None:
    relay = Relay()
    assert play(b"EHLO a.test\r\nXJOIN " + argument + b"\r\n", relay).codes[-1] == "501 5.5.4"
    assert not relay.tries


def test_a_site_that_has_joined_is_told_again_and_nobody_else() -> None:
    assert play(LOGIN + b"XJOIN\r\n").replies[-1][1] == "250-2.0.0 account=bob@example.test"
    assert play(LOGIN + b"XJOIN\r\n", site=None).codes[-1] == "550 5.7.1"
    assert play(b"EHLO a.test\r\nXJOIN\r\n").codes[-1] == "530 5.7.0"


def test_lists_are_taken_whole() -> None:
    relay = Relay()
    lists = b'a@shop.test most=10 room=20\r\n"x y"@b.test room=0\r\n*@b.test\r\n'
    talk = play(LOGIN + b"XRECIPIENTS %d\r\n" % len(lists) + lists + b"NOOP\r\n", relay)
    assert talk.codes[-3:] == ["354", "250 2.0.0", "250 2.0.0"]
    assert relay.lists[-1] == [
        Known("a", "shop.test", 10, 20),
        Known("x y", "b.test", None, 0),
        Known("*", "b.test"),
    ]
    assert play(LOGIN + b"XRECIPIENTS 0\r\nNOOP\r\n", relay).codes[-3:] == ["354", "250 2.0.0", "250 2.0.0"]
    assert relay.lists[-1] == []


def test_strangers_and_sites_that_have_not_joined_do_not_tell_us_whom_there_is() -> None:
    relay = Relay()
    assert play(b"EHLO a.test\r\nXRECIPIENTS 5\r\n", relay).codes[-1] == "530 5.7.0"
    assert play(LOGIN + b"XRECIPIENTS 5\r\n", relay, site=None).codes[-1] == "550 5.7.1"
    assert play(LOGIN + b"XRECIPIENTS 5\r\n", relay, changes={}).codes[-1] == "502 5.5.1"
    assert not relay.lists


@pytest.mark.parametrize(("argument", "code"), [(b"", "501"), (b"x", "501"), (b"-1", "501"), (b"4194305", "552")])
def test_sizes_that_are_none_are_refused_before_anything_comes(argument: bytes, code: str) -> None:
    assert play(LOGIN + b"XRECIPIENTS " + argument + b"\r\n").codes[-1].startswith(code)


@pytest.mark.parametrize(
    "lists",
    [
        b"a@shop.test",
        b"a@shop.test\n",
        b"a\r\n",
        b"a@shop.test most=x\r\n",
        b"\r\n",
        b"\xff@b.test\r\n",
        b"a@b.test  \r\n",
    ],
)
def test_lists_with_a_faulty_line_change_nothing(lists: bytes) -> None:
    relay = Relay()
    talk = play(LOGIN + b"XRECIPIENTS %d\r\n" % len(lists) + lists + b"NOOP\r\n", relay)
    assert talk.codes[-2:] == ["554 5.6.0", "250 2.0.0"]
    assert not relay.lists


def test_lists_of_the_domains_of_others_are_refused() -> None:
    talk = play(LOGIN + b"XRECIPIENTS 10\r\na@c.test\r\n", Relay(refusal=BadValue("c.test is no domain of this site")))
    assert talk.replies[-1] == ["554 5.6.0 The lists are not taken: c.test is no domain of this site"]


def test_what_is_written_can_be_read() -> None:
    lists = [Known('"', "a.test", 1), Known("ü", "a.test"), Known("a b", "b.test", None, 3), Known("*", "b.test")]
    key = str
    assert sorted(read_lists(write_lists(lists)), key=key) == sorted(lists, key=key)
    assert read_joined(["Joined", *joined_lines(JOINED), "Joined"]) == JOINED
    again = evolve(JOINED, submission=587, starttls=True)
    assert read_joined(joined_lines(again)) == again
    many = evolve(JOINED, domains=tuple(f"d{number}.{'x' * 60}.test" for number in range(1000)))
    assert read_joined(joined_lines(many)) == many and len(joined_lines(many)) < 256
    known = ["account=a@b.test", "hold=b"]
    for lines in (
        [],
        known[:1],
        ["account=a", "hold=b"],
        *(
            [*known, each]
            for each in ("submission=x", "submission=-1", "domains=", "domains=a b.test", "domains=[::1]")
        ),
        *([*known, f"domains={each}"] for each in ("com", "a.test,,b.test", "*.test", "a.test,b..test")),
    ):
        with pytest.raises(ValueError):
            read_joined(lines)


def test_a_secret_and_a_password_are_not_shown() -> None:
    arguments = parse_join(CODE + b" " + PASSWORD)
    assert PASSWORD.decode() not in repr(arguments) and "0123" not in repr(arguments)


def test_as_many_recipients_as_lists_may_have_are_read_in_linear_time() -> None:
    line = b"a@shop.test most=1\r\n"
    assert len(read_lists(line * (MAXIMUM_LISTS // len(line) // 20))) > 10_000
