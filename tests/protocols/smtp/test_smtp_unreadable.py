"""Lines that are no command, and what may follow them (RFC 3030 §4, RFC 5321 §4.1.1, §4.1.4, RFC 4954 §4)."""

from __future__ import annotations

import pytest

from worldmail.testing.smtp import SmtpScene, envelope

UNREADABLE_CHUNKS = [
    b"BDAT 6" + b" " * 5000 + b" LAST",
    b"BDAT " + b"0" * 20_000,
    b"bdat 6" + b" " * 2100,
    b"BDAT 6\0 LAST",
    b"BDAT\0",
    b"BDAT\t6 LAST",
    b" BDAT 6 LAST",
    b"\tbdat 6",
    b"BDAT=6",
]


@pytest.mark.parametrize("listener", ["smtp", "submission"])
@pytest.mark.parametrize("command", UNREADABLE_CHUNKS)
def test_after_a_BDAT_that_cannot_be_read_nothing_is_a_command(command: bytes, listener: str) -> None:
    talk = SmtpScene(listener=listener).play(b"EHLO a.test\r\n" + command + b"\r\nNOOP\r\nQUIT\r\n")
    assert [code.split(" ")[0] for code in talk.codes] == ["220", "250", "500"]
    assert talk.closed is not None


@pytest.mark.parametrize("command", [b"BDATX 6", b"XBDAT 6", b"FOO BDAT 6", b"FOO" + b" " * 3000])
def test_other_words_that_nobody_knows_leave_the_session_open(command: bytes) -> None:
    talk = SmtpScene().play(b"EHLO a.test\r\n" + command + b"\r\nNOOP\r\n")
    assert talk.codes[2].startswith("500 ")
    assert talk.codes[3:] == ["250 2.0.0"]
    assert talk.closed is None


@pytest.mark.parametrize("request_line", [b"POST / HTTP/1.1", b"GET /x?y=z HTTP/1.0", b"CONNECT a.test:25 HTTP/1.1"])
def test_a_browser_led_here_sends_no_commands_in_its_request(request_line: bytes) -> None:
    talk = SmtpScene().play(request_line + b"\r\nHost: a.test\r\n\r\nEHLO a.test\r\nMAIL FROM:<a@a.test>\r\n")
    assert talk.codes == ["220", "500 5.5.1"]
    assert talk.closed is not None


@pytest.mark.parametrize("line", [b"VRFY bob@example.test", b"HELP", b"NOOP", b"RSET"])
def test_some_commands_need_no_EHLO(line: bytes) -> None:
    assert SmtpScene().play(line + b"\r\n").codes[1][0] == "2"


def test_EXPN_before_EHLO_is_not_out_of_order() -> None:
    assert SmtpScene().play(b"EXPN list\r\n").codes[1] == "502 5.5.1"


@pytest.mark.parametrize("space", [b" ", b"\t", b" \t ", b"\t\t"])
def test_white_space_behind_a_command_is_let_pass(space: bytes) -> None:
    lines = envelope().replace(b"\r\n", space + b"\r\n") + b"BDAT 0 LAST" + space + b"\r\nRSET" + space + b"\r\n"
    assert SmtpScene().play(lines).codes == ["220", "250", "250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0"]


@pytest.mark.parametrize("response", [b"!!!", b"YWJj-_", b"a", b"=="])
def test_an_initial_response_that_is_not_base64_is_called_so(response: bytes) -> None:
    talk = SmtpScene(listener="submission", tls=True).play(b"EHLO a.test\r\nAUTH PLAIN " + response + b"\r\nNOOP\r\n")
    assert talk.codes[2:] == ["501 5.5.2", "250 2.0.0"]


def test_an_initial_response_that_is_too_long_is_called_so() -> None:
    scene = SmtpScene(listener="submission", tls=True)
    talk = scene.play(b"EHLO a.test\r\nauth PLAIN " + b"A" * 13_000 + b"\r\nNOOP\r\n")
    assert talk.codes[2:] == ["500 5.5.6", "250 2.0.0"]
