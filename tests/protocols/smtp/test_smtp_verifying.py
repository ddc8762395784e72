"""VRFY and EXPN: what they tell, to whom."""

from __future__ import annotations

from worldmail.testing.smtp import SmtpScene
from worldmail.testing.world import MemoryWorld


def test_vrfy_tells_nothing_by_default_and_expn_is_off() -> None:
    talk = SmtpScene().play(b"EHLO a\r\nVRFY bob@example.test\r\nVRFY nobody@example.test\r\nEXPN bob@example.test\r\n")
    assert talk.replies[2] == talk.replies[3] == ["252 2.5.0 Cannot verify, but the message will be tried"]
    assert talk.codes[-1] == "502 5.5.1"


def test_vrfy_and_expn_tell_where_the_site_says_so() -> None:
    scene = SmtpScene(
        settings={"vrfy": "on", "expn": "on"},
        prepare=lambda world: world.add_alias("team@example.test", "bob@example.test", "alice@example.test"),
    )
    talk = scene.play(
        b"EHLO a\r\nVRFY <bob@example.test>\r\nVRFY nobody@example.test\r\nVRFY x@else.test\r\n"
        b"EXPN team@example.test\r\nVRFY\r\n"
    )
    assert talk.replies[2:5] == [
        ["250 2.1.5 <bob@example.test>"],
        ["550 5.1.1 No such mailbox here"],
        ["252 2.5.0 Cannot verify, but the message will be tried"],
    ]
    assert talk.replies[5] == ["250-2.1.5 <bob@example.test>", "250 2.1.5 <alice@example.test>"]
    assert talk.codes[6] == "501 5.5.4"


def test_what_vrfy_and_expn_cannot_show_is_shown_to_who_says_SMTPUTF8() -> None:
    def furnish(world: MemoryWorld) -> None:
        world.add_account("müller@example.test")
        world.add_alias("team@example.test", "bob@example.test", "müller@example.test")

    scene = SmtpScene(settings={"vrfy": "on", "expn": "on"}, prepare=furnish)
    asked = "EHLO a\r\nVRFY müller@example.test{0}\r\nEXPN team@example.test{0}\r\nVRFY ö@example.test{0}\r\n"
    assert scene.play(asked.format("").encode()).codes[2:] == ["550 5.6.8", "550 5.6.8", "550 5.1.1"]
    assert scene.play(asked.format(" smtputf8").encode()).replies[2:4] == [
        ["250 2.1.5 <müller@example.test>"],
        ["250-2.1.5 <bob@example.test>", "250 2.1.5 <müller@example.test>"],
    ]
    assert SmtpScene().play("EHLO a\r\nVRFY müller@example.test\r\n".encode()).codes[2:] == ["252 2.5.0"]


def test_expn_for_users_alone_is_550_for_others() -> None:
    scene = SmtpScene(settings={"expn": "signed-in"})
    assert scene.play(b"EHLO a\r\nEXPN bob@example.test\r\n").codes[-1] == "550 5.7.1"
