"""Authentication-Results of ours that come from outside are taken out (RFC 8601 §5), and those of our relay's name."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, frozen

from tests.protocols.smtp.test_smtp_xforward import TurnedScene
from worldmail.interfaces.pairs import End, Pair
from worldmail.testing.smtp import SmtpScene, envelope

OURS = b"Authentication-Results: mail.example.test;\r\n spf=pass\r\n"
RELAYS = b"Authentication-Results: Relay.test; spf=pass\r\n"
OTHERS = b"Authentication-Results: far.test; spf=pass\r\n"
REST = b"Subject: x\r\n\r\nAuthentication-Results: mail.example.test; in the text it is text\r\n"


@frozen
class Pairs:
    def pairs(self) -> list[Pair]:
        relay = Pair(name="relay.test", end=End.SITE, account="a@relay.test", domains=(), host="relay.test")
        return [relay, evolve(relay, name="a site of ours", end=End.RELAY, host="far.test")]


def pair_up(world: Any) -> None:
    world.world = evolve(world.world, hostname="mail.example.test", pairs=Pairs())


def alone(world: Any) -> None:
    world.world = evolve(world.world, hostname="mail.example.test")


def came(scene: SmtpScene, chunks: bool) -> bytes:
    text = OURS + RELAYS + OTHERS + REST
    if chunks:
        said = b"BDAT 30\r\n" + text[:30] + b"BDAT %d LAST\r\n" % (len(text) - 30) + text[30:]
    else:
        said = b"DATA\r\n" + text + b".\r\n"
    scene.play(envelope() + said)
    [content] = scene.contents()
    return content[content.index(b"Authentication-Results") :]


@pytest.mark.parametrize("chunks", [False, True])
def test_from_strangers_neither_ours_nor_our_relays_are_taken(chunks: bool) -> None:
    assert came(SmtpScene(prepare=pair_up), chunks) == OTHERS + REST


def test_who_has_no_relay_takes_all_but_ours() -> None:
    assert came(SmtpScene(prepare=alone), False) == RELAYS + OTHERS + REST


def test_from_our_relay_its_own_are_taken() -> None:
    assert came(TurnedScene(prepare=pair_up), False) == RELAYS + OTHERS + REST


def test_from_another_server_that_turned_its_connection_they_are_not() -> None:
    scene = TurnedScene(prepare=pair_up)
    scene.pair = None
    assert came(scene, False) == OTHERS + REST


NAMES = b"Authentication-Results: mx7.relay.test; spf=pass\r\n"
"""In the name that the relay has for itself, where we reach it by another."""


@frozen
class Renamed(Pairs):
    def pairs(self) -> list[Pair]:
        relay, other = super().pairs()
        return [evolve(relay, called="MX7.relay.test"), other]


def by_another_name(world: Any) -> None:
    world.world = evolve(world.world, hostname="mail.example.test", pairs=Renamed())


def left_of(scene: SmtpScene) -> bytes:
    scene.play(envelope() + b"DATA\r\n" + OURS + RELAYS + NAMES + OTHERS + REST + b".\r\n")
    [content] = scene.contents()
    return content[content.index(b"Authentication-Results") :]


def test_a_relay_that_is_invited_by_another_name_than_its_own_is_forged_in_neither() -> None:
    assert left_of(SmtpScene(prepare=by_another_name)) == OTHERS + REST


def test_such_a_relay_itself_speaks_in_its_own_name_alone() -> None:
    """In the other one it takes out nothing, so anybody may have written that."""
    assert left_of(TurnedScene(prepare=by_another_name)) == NAMES + OTHERS + REST


def test_a_relay_that_takes_our_own_name_for_itself_may_not_use_it() -> None:
    class Thief(Pairs):
        def pairs(self) -> list[Pair]:
            relay, other = super().pairs()
            return [evolve(relay, called="mail.example.test"), other]

    def prepare(world: Any) -> None:
        world.world = evolve(world.world, hostname="mail.example.test", pairs=Thief())

    assert left_of(TurnedScene(prepare=prepare)) == NAMES + OTHERS + REST


SIGNED = b"DKIM-Signature: v=1; h=from:subject;\r\n b=c2ln\r\nFrom:  a@far.test \r\nsubject:x\r\n\tfolded  \r\n"
BODY = b"\r\ntrailing space \r\n" + OURS + b"..\r\n\xc3\xa9\r\n\r\n\r\n"


def in_chunks(text: bytes, *cuts: int) -> bytes:
    """What is stored of it, from the first field of its own on."""
    pieces = [text[begin:end] for begin, end in zip((0, *cuts), (*cuts, len(text)), strict=True)]
    said = b"".join(b"BDAT %d\r\n" % len(piece) + piece for piece in pieces) + b"BDAT 0 LAST\r\n"
    scene = SmtpScene(prepare=pair_up)
    scene.play_segments([envelope() + said])
    [content] = scene.contents()
    assert content.startswith(b"Received: ")
    return content[content.index(SIGNED[:15]) :]


@pytest.mark.parametrize(
    "text", [OURS + SIGNED, SIGNED + OURS, SIGNED + OURS + OTHERS + OURS], ids=["top", "end", "two"]
)
def test_wherever_chunks_are_cut_nothing_but_the_field_is_changed(text: bytes) -> None:
    """So a signature that does not cover it still verifies (RFC 6376 §3.7)."""
    whole, kept = text + BODY, text.replace(OURS, b"") + BODY
    field = whole.index(OURS)
    ends = range(field + len(OURS) - 3, field + len(OURS) + 5)
    cuts: list[tuple[int, ...]] = [(cut,) for cut in range(1, len(whole))]
    cuts += [(begin, end) for begin in range(max(1, field - 3), field + 4) for end in ends]
    cuts.append(tuple(range(1, len(whole))))
    for each in cuts:
        assert in_chunks(whole, *each) == kept, each
