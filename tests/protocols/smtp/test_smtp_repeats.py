"""What a relay of ours hands over again is answered as if it were taken, and not stored again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocols.smtp.test_smtp_xforward import TurnedScene
from worldmail.errors import TakenElsewhere
from worldmail.interfaces.store import Handover
from worldmail.testing.smtp import Talk

Q1 = Handover(relay="relay.test", message="Q1")
EHLO = b"EHLO relay.test\r\n"
IDENT = b"XFORWARD IDENT=Q1 ADDR=192.0.2.9\r\n"
TEXT = b"Subject: x\r\n\r\nbody\r\n"


def message(*names: bytes, chunks: bool = False, sender: bytes = b"a@a.test") -> bytes:
    said = b"MAIL FROM:<" + sender + b">\r\n" + b"".join(b"RCPT TO:<%s@example.test>\r\n" % name for name in names)
    if chunks:
        half = len(TEXT) // 2
        return said + b"BDAT %d\r\n" % half + TEXT[:half] + b"BDAT %d LAST\r\n" % (len(TEXT) - half) + TEXT[half:]
    return said + b"DATA\r\n" + TEXT + b".\r\n"


def play(client: bytes, *known: str) -> tuple[TurnedScene, Talk]:
    def prepare(world: Any) -> None:
        if known:
            world.acceptance.arrivals[Q1] = set(known)

    scene = TurnedScene(prepare=prepare)
    return scene, scene.play(EHLO + client)


def recipients(scene: TurnedScene) -> list[list[str]]:
    return [[str(one.address) for one in each.envelope.recipients] for each in scene.world.acceptance.accepted]


def repeated(scene: TurnedScene) -> list[Any]:
    return [fields for event, fields in scene.world.journal.records if event == "repeated"]


@pytest.mark.parametrize("chunks", [False, True])
def test_a_message_that_all_have_is_answered_and_dropped(chunks: bool) -> None:
    client = IDENT + message(b"bob", b"alice", chunks=chunks) + IDENT + message(b"bob", b"alice", chunks=chunks)
    scene, talk = play(client + message(b"bob") + b"QUIT\r\n")
    assert recipients(scene) == [["bob@example.test", "alice@example.test"], ["bob@example.test"]]
    assert [code for code in talk.codes if code[0] not in "23"] == []
    assert sum("it is here already" in line for lines in talk.replies for line in lines) == 1
    assert [(each["to"], each["message"], each["relay"]) for each in repeated(scene)] == [
        ("bob@example.test", "Q1", "relay.test"),
        ("alice@example.test", "Q1", "relay.test"),
    ]


@pytest.mark.parametrize("chunks", [False, True])
def test_of_one_that_some_have_the_others_get_it(chunks: bool) -> None:
    scene, talk = play(IDENT + message(b"bob", b"alice", b"postmaster", chunks=chunks), "bob@example.test")
    assert recipients(scene) == [["alice@example.test", "postmaster@example.test"]]
    assert scene.world.acceptance.arrivals[Q1] == {
        "bob@example.test",
        "alice@example.test",
        "postmaster@example.test",
    }
    assert talk.codes[-1] == "250 2.0.0"


def test_who_has_it_is_not_asked_for_again_even_if_the_mailbox_is_gone() -> None:
    scene, talk = play(IDENT + message(b"gone"), "gone@example.test")
    assert talk.codes[4] == "250 2.1.5"
    assert recipients(scene) == []


def test_without_an_id_nothing_is_a_repeat() -> None:
    scene, _ = play((b"XFORWARD ADDR=192.0.2.9\r\n" + message(b"bob")) * 2)
    assert len(recipients(scene)) == 2


def test_another_id_is_another_message() -> None:
    scene, _ = play(IDENT + message(b"bob") + b"XFORWARD IDENT=Q2\r\n" + message(b"bob"))
    assert len(recipients(scene)) == 2


def test_what_another_session_took_meanwhile_is_put_off() -> None:
    def prepare(world: Any) -> None:
        world.acceptance.fail = TakenElsewhere()

    scene = TurnedScene(prepare=prepare)
    talk = scene.play(EHLO + IDENT + message(b"bob"))
    assert talk.codes[-1] == "451 4.3.0"


def test_of_any_other_server_nobody_takes_an_id() -> None:
    scene = TurnedScene()
    scene.pair = None
    scene.play(EHLO + (IDENT + message(b"bob")) * 2)
    assert [each.handover for each in scene.world.acceptance.accepted] == [None, None]


def test_there_is_a_bound_to_how_many_have_it() -> None:
    known = [f"u{number}@example.test" for number in range(150)]
    said = b"".join(b"RCPT TO:<u%d@example.test>\r\n" % number for number in range(150))
    scene = TurnedScene(settings={"recipients": 100})
    scene.prepare = lambda world: world.acceptance.arrivals.update({Q1: set(known)})
    talk = scene.play(EHLO + IDENT + b"MAIL FROM:<>\r\n" + said, ways=["whole"])
    assert talk.codes.count("250 2.1.5") == 100
    assert talk.codes.count("452 4.5.3") == 50
