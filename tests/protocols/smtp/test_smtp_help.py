"""HELP (RFC 5321 §4.1.1.8)."""

from __future__ import annotations

from typing import Any

from worldmail.protocols.smtp.verbs import ROWS
from worldmail.testing.smtp import SmtpScene

NOT_FOR_ALL = (b"ETRN", b"ATRN", b"XFORWARD", b"XJOIN", b"XRECIPIENTS")  # where nothing is held, nobody trusted
WORDS = [row.word.decode() for row in ROWS if row.word not in NOT_FOR_ALL]


def words(**scene: Any) -> list[str]:
    """The commands that HELP names."""
    return SmtpScene(**scene).play(b"HELP\r\n").replies[1][1].split()[2:]


def test_help_carries_its_codes_on_each_line() -> None:
    talk = SmtpScene().play(b"HELP\r\nHELP mail\r\n")
    assert talk.replies[1][0] == "214-2.0.0 Commands:"
    assert talk.replies[1][1].startswith("214 2.0.0 EHLO HELO STARTTLS ")
    assert talk.replies[2] == ["214 2.0.0 MAIL: RFC 5321 section 4.1.1.2"]


def test_help_names_the_commands_of_its_listener_and_no_others() -> None:
    assert words(listener="submission", settings={"expn": "signed-in"}) == WORDS
    assert words() == [word for word in WORDS if word not in ("AUTH", "BURL", "EXPN")]
    assert "STARTTLS" not in words(changes={"tls": "off"})


def test_help_about_a_command_that_the_listener_does_not_have_names_the_others() -> None:
    assert SmtpScene().play(b"HELP burl\r\n").replies[1][0] == "214-2.0.0 Commands:"
