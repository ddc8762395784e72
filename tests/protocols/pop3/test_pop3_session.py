"""Whole POP3 conversations, fed whole, octet by octet, line by line and with the next command glued on."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

LOGIN = b"USER bob@example.test\r\nPASS secret\r\n"
GREETING = b"+OK WorldMail POP3 server ready\r\n"
WELCOME = b"+OK Password, please\r\n+OK Maildrop has %d messages (%d octets)\r\n"
ONE = b"Subject: one\r\n\r\nfirst\r\n"
TWO = b"Subject: two\r\n\r\n.dot\r\n..\r\nlast\r\n"


def base64_of(octets: bytes) -> bytes:
    return base64.b64encode(octets)


def after_login(output: bytes) -> bytes:
    """What was said after the maildrop was open."""
    return output.partition(b"octets)\r\n")[2]


def test_the_example_session_of_RFC_1939_is_answered(talk) -> None:
    said = LOGIN + b"STAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n"
    conversation = talk(said, ONE, TWO)
    assert conversation.output == (
        GREETING
        + WELCOME % (2, len(ONE + TWO))
        + b"+OK 2 %d\r\n" % len(ONE + TWO)
        + b"+OK 2 messages (%d octets)\r\n1 %d\r\n2 %d\r\n.\r\n" % (len(ONE + TWO), len(ONE), len(TWO))
        + b"+OK %d octets\r\n" % len(ONE)
        + ONE
        + b".\r\n+OK Marked as deleted\r\n"
        + b"+OK %d octets\r\nSubject: two\r\n\r\n..dot\r\n...\r\nlast\r\n.\r\n" % len(TWO)
        + b"+OK Marked as deleted\r\n+OK Goodbye\r\n"
    )
    assert conversation.closed == "quit"


def test_commands_are_known_in_lower_case_and_a_password_may_hold_blanks(talk) -> None:
    conversation = talk(b"user bob@example.test\r\npass secret \r\nUser bob@example.test\r\npAss secret\r\nquit\r\n")
    lines = conversation.output.split(b"\r\n")
    assert lines[2].startswith(b"-ERR [AUTH] ")
    assert lines[4].startswith(b"+OK Maildrop")


def test_APOP_is_offered_by_the_stamp_of_the_greeting_and_lets_in(talk) -> None:
    stamp = b"<%s.1900000000@mail.example.test>" % (b"72" * 12)
    digest = hashlib.md5(stamp + b"secret").hexdigest().encode()
    conversation = talk(b"APOP bob@example.test " + digest + b"\r\nSTAT\r\nQUIT\r\n", ONE, legacy=True, tls=False)
    assert conversation.output.startswith(b"+OK WorldMail POP3 server ready " + stamp + b"\r\n+OK Maildrop has 1")
    assert b"\r\n+OK 1 %d\r\n+OK Goodbye\r\n" % len(ONE) in conversation.output


def test_APOP_is_refused_where_the_greeting_had_no_stamp(talk) -> None:
    conversation = talk(b"APOP bob@example.test " + b"0" * 32 + b"\r\n")
    assert conversation.output == GREETING + b"-ERR APOP is not offered here\r\n"


def test_in_TLS_the_greeting_has_no_stamp_unless_CRAM_MD5_is_announced_there_too(talk) -> None:
    assert talk(b"", legacy=True).output == GREETING


def test_a_wrong_APOP_digest_and_an_unknown_name_get_the_same_answer(talk) -> None:
    conversation = talk(
        b"APOP bob@example.test " + b"0" * 32 + b"\r\nAPOP eve@example.test " + b"0" * 32 + b"\r\n",
        legacy=True,
        tls=False,
    )
    _, first, second, _ = conversation.output.split(b"\r\n")
    assert first == second == b"-ERR [AUTH] Authentication credentials invalid"


@pytest.mark.parametrize(
    "said",
    [
        b"AUTH PLAIN " + base64_of(b"\0bob@example.test\0secret") + b"\r\n",
        b"auth plain\r\n" + base64_of(b"\0bob@example.test\0secret") + b"\r\n",
        b"AUTH LOGIN\r\n" + base64_of(b"bob@example.test") + b"\r\n" + base64_of(b"secret") + b"\r\n",
    ],
)
def test_AUTH_lets_in_with_and_without_an_initial_response(talk, said: bytes) -> None:
    conversation = talk(said + b"STAT\r\nQUIT\r\n", ONE)
    assert conversation.output.endswith(b"+OK 1 %d\r\n+OK Goodbye\r\n" % len(ONE))


def test_an_empty_challenge_is_a_plus_and_one_blank(talk) -> None:
    conversation = talk(b"AUTH PLAIN\r\n*\r\n")
    assert conversation.output == GREETING + b"+ \r\n-ERR Authentication cancelled\r\n"


def test_CRAM_MD5_in_the_clear_lets_in_and_is_the_only_mechanism_there(talk) -> None:
    challenge = b"<1896.697170952@mail.example.test>"
    digest = hmac.new(b"secret", challenge, "md5").hexdigest().encode()
    said = b"AUTH\r\nAUTH PLAIN AGI=\r\nAUTH CRAM-MD5\r\n" + base64_of(b"bob@example.test " + digest) + b"\r\nSTAT\r\n"
    conversation = talk(said, ONE, legacy=True, tls=False)
    replies = conversation.output.partition(b"test>\r\n")[2]
    assert replies == (
        b"+OK Mechanisms follow\r\nCRAM-MD5\r\n.\r\n-ERR This mechanism is not offered here\r\n+ "
        + base64_of(challenge)
        + b"\r\n+OK Maildrop has 1 messages (%d octets)\r\n+OK 1 %d\r\n" % (len(ONE), len(ONE))
    )


def test_an_equals_sign_is_an_empty_initial_response(talk) -> None:
    conversation = talk(b"AUTH PLAIN =\r\n")
    assert conversation.output == GREETING + b"-ERR Malformed response\r\n"


@pytest.mark.parametrize("junk", [b"A", b"=AAA", b"AAA=BBB", b"AA AA", b"!!!!"])
def test_base64_is_read_strictly_and_a_bad_one_is_not_called_a_wrong_credential(talk, junk: bytes) -> None:
    conversation = talk(b"AUTH PLAIN\r\n" + junk + b"\r\nCAPA\r\n")
    assert conversation.output.startswith(GREETING + b"+ \r\n-ERR Malformed base64\r\n+OK Capabilities")


def test_a_SASL_line_may_be_longer_than_a_command_and_the_next_command_not(talk) -> None:
    response = base64_of(b"\0bob@example.test\0" + b"x" * 3000)
    conversation = talk(
        b"AUTH PLAIN\r\n" + response + b"\r\nUSER " + b"a" * 300 + b"\r\nUSER bob\r\n", command_line=255
    )
    assert conversation.output == (
        GREETING
        + b"+ \r\n-ERR [AUTH] Authentication credentials invalid\r\n"
        + b"-ERR The line is too long\r\n+OK Password, please\r\n"
    )


def test_the_longest_password_of_all_fits_into_a_command(talk) -> None:
    password = ("\U00010348" * 1024).encode()
    conversation = talk(b"USER bob@example.test\r\nPASS " + password + b"\r\n")
    assert conversation.output == (
        GREETING + b"+OK Password, please\r\n-ERR [AUTH] Authentication credentials invalid\r\n"
    )


def test_a_command_of_so_many_octets_as_the_setting_says_is_taken_and_one_more_is_not(talk) -> None:
    conversation = talk(b"USER " + b"a" * 248 + b"\r\n" + b"USER " + b"a" * 249 + b"\r\n", command_line=255)
    assert conversation.output == GREETING + b"+OK Password, please\r\n-ERR The line is too long\r\n"


def test_a_password_in_the_clear_is_refused_and_its_capability_hidden(talk) -> None:
    conversation = talk(LOGIN, tls=False)
    refusal = b"-ERR Passwords are taken in TLS only, please give STLS first\r\n"
    assert conversation.output == GREETING + refusal + refusal
    capabilities = talk(b"CAPA\r\n", tls=False).output.split(b"\r\n")
    assert b"USER" not in capabilities and b"STLS" in capabilities


def test_PASS_must_follow_USER_immediately(talk) -> None:
    conversation = talk(b"PASS secret\r\nUSER bob@example.test\r\nCAPA\r\nPASS secret\r\n")
    lines = conversation.output.split(b"\r\n")
    assert lines[1] == lines[-2] == b"-ERR Please give USER first"


def test_every_name_is_welcome_and_a_wrong_one_gets_the_answer_of_a_wrong_password(talk) -> None:
    conversation = talk(b"USER eve@example.test\r\nPASS x\r\nUSER bob@example.test\r\nPASS x\r\n")
    _, user1, pass1, user2, pass2, _ = conversation.output.split(b"\r\n")
    assert (
        (user1, pass1) == (user2, pass2) == (b"+OK Password, please", b"-ERR [AUTH] Authentication credentials invalid")
    )


def test_commands_of_the_other_state_are_refused(talk) -> None:
    before = talk(b"STAT\r\nLIST\r\n", errors_before_login=0)
    assert before.output == GREETING + b"-ERR Please sign in first\r\n" * 2
    after = talk(LOGIN + b"USER bob\r\nAUTH PLAIN\r\nAPOP a b\r\nSTLS\r\nUTF8\r\n")
    assert after_login(after.output) == b"-ERR You are signed in already\r\n" * 5


@pytest.mark.parametrize(
    "said", [b"\r\n", b" \r\n", b"FROB\r\n", b"STATUS\r\n", b"STA\r\n", b"\xff\xfe\r\n", b"CAPA\t\r\n"]
)
def test_what_is_no_command_is_refused(talk, said: bytes) -> None:
    assert talk(said).output == GREETING + b"-ERR Unknown command\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"STAT 1", b"NOOP x", b"RSET 1", b"QUIT 1", b"CAPA x", b"LIST a", b"LIST 1 2", b"LIST -1", b"LIST +1",
        b"LIST 99999999999", b"UIDL a", b"RETR", b"RETR ", b"RETR 1.0", b"DELE", b"DELE x", b"TOP", b"TOP 1",
        b"TOP 1 -1", b"TOP 1 2 3", b"LANG e_n", b"LANG \xc3\xa9", b"RETR \xd9\xa1",
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_and_change_nothing(talk, said: bytes) -> None:
    replies = after_login(talk(LOGIN + said + b"\r\nSTAT\r\n", ONE).output).split(b"\r\n")
    assert replies[0].startswith(b"-ERR ") and not replies[0].startswith(b"-ERR [")
    assert replies[1:] == [b"+OK 1 %d" % len(ONE), b""]


@pytest.mark.parametrize("said", [b"LIST 0", b"LIST 2", b"UIDL 9999999999", b"RETR 2", b"DELE 0", b"TOP 2 0"])
def test_a_number_that_no_message_has_is_refused(talk, said: bytes) -> None:
    assert after_login(talk(LOGIN + said + b"\r\n", ONE).output) == b"-ERR No such message\r\n"


def test_blanks_at_the_end_of_a_line_are_forgiven(talk) -> None:
    assert after_login(talk(LOGIN + b"LIST 1 \r\nSTAT \r\n", ONE).output) == b"+OK 1 %d\r\n" % len(ONE) * 2


def test_TOP_gives_the_header_and_so_many_lines(talk) -> None:
    text = b"A: b\r\n\r\n1\r\n.2\r\n3\r\n"
    said = LOGIN + b"TOP 1 0\r\nTOP 1 1\r\nTOP 1 2\r\nTOP 1 3\r\nTOP 1 4000000000\r\n"
    assert after_login(talk(said, text).output) == (
        b"+OK\r\nA: b\r\n\r\n.\r\n"
        b"+OK\r\nA: b\r\n\r\n1\r\n.\r\n"
        b"+OK\r\nA: b\r\n\r\n1\r\n..2\r\n.\r\n" + b"+OK\r\nA: b\r\n\r\n1\r\n..2\r\n3\r\n.\r\n" * 2
    )


@pytest.mark.parametrize(("text", "top"), [(b"A: b\r\n", b"A: b\r\n"), (b"\r\nbody\r\n", b"\r\n"), (b"", b"\r\n")])
def test_TOP_of_messages_without_body_header_or_anything(talk, text: bytes, top: bytes) -> None:
    output = after_login(talk(LOGIN + b"TOP 1 0\r\n", text).output)
    assert output in (b"+OK\r\n" + top + b".\r\n", b"+OK\r\n" + text + b".\r\n")


def test_a_message_without_a_final_line_end_gets_one(talk) -> None:
    assert after_login(talk(LOGIN + b"RETR 1\r\n", b"A: b\r\n\r\nend").output).endswith(b"\r\n\r\nend\r\n.\r\n")


def test_bare_line_ends_of_binary_content_go_out_as_lines(talk) -> None:
    assert after_login(talk(LOGIN + b"RETR 1\r\n", b"A: b\r\n\r\n1\n.2\r3\r\r\n4\r").output).endswith(
        b"\r\n\r\n1\r\n..2\r\n3\r\n\r\n4\r\n.\r\n"
    )


def test_marked_messages_are_left_out_and_numbers_never_shift(talk) -> None:
    said = LOGIN + b"DELE 1\r\nDELE 1\r\nSTAT\r\nLIST\r\nLIST 1\r\nUIDL\r\nUIDL 1\r\nRETR 1\r\nRSET\r\nLIST\r\n"
    one, two = len(ONE), len(TWO)
    assert after_login(talk(said, ONE, TWO).output) == (
        b"+OK Marked as deleted\r\n-ERR No such message\r\n"
        b"+OK 1 %d\r\n+OK 1 messages (%d octets)\r\n2 %d\r\n.\r\n"
        % (two, two, two)
        + b"-ERR No such message\r\n+OK\r\n2 1.2\r\n.\r\n-ERR No such message\r\n-ERR No such message\r\n"
        + b"+OK Maildrop has 2 messages (%d octets)\r\n" % (one + two)
        + b"+OK 2 messages (%d octets)\r\n1 %d\r\n2 %d\r\n.\r\n" % (one + two, one, two)
    )


def test_an_empty_maildrop_lists_nothing(talk) -> None:
    assert after_login(talk(LOGIN + b"STAT\r\nLIST\r\nUIDL\r\n").output) == (
        b"+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n+OK\r\n.\r\n"
    )


def test_LANG_lists_and_chooses_by_range_and_star(talk) -> None:
    said = b"LANG\r\nLANG en\r\nLANG EN-gb\r\nLANG *\r\n" + LOGIN + b"LANG en-GB-x-test\r\nLANG mul\r\n"
    conversation = talk(said)
    chosen = b"+OK en Language chosen\r\n"
    assert conversation.output.startswith(GREETING + b"+OK Languages follow\r\nen English\r\n.\r\n" + chosen * 3)
    assert after_login(conversation.output) == chosen + b"-ERR This language is not known here\r\n"


def test_too_many_errors_before_login_end_the_connection(talk) -> None:
    conversation = talk(b"A\r\nUSER bob@example.test\r\nPASS x\r\nB\r\nCAPA\r\n")
    assert conversation.closed == "too many errors"
    assert conversation.output.endswith(b"invalid\r\n-ERR Unknown command\r\n")


def test_a_client_that_tries_what_is_not_offered_in_turn_may_still_sign_in(talk) -> None:
    tries = b"NOOP\r\nAUTH NTLM\r\nAUTH GSSAPI\r\nAUTH PLAIN\r\n*\r\nAUTH DIGEST-MD5\r\nPASS x\r\n"
    assert after_login(talk(tries + LOGIN + b"STAT\r\n").output) == b"+OK 0 0\r\n"


@pytest.mark.parametrize("failed", [b"USER bob@example.test\r\nPASS x\r\n", b"FROB\r\n", b"USER\r\n", b"A\0\r\n"])
def test_failed_logins_and_what_is_no_command_end_it_at_the_third_whatever_is_in_between(talk, failed: bytes) -> None:
    conversation = talk((b"NOOP\r\n" + failed + b"CAPA\r\n") * 2 + failed + b"CAPA\r\n")
    assert conversation.closed == "too many errors"
    assert conversation.output.count(b"-ERR") == 5


def test_before_login_what_is_not_offered_is_bounded_too(talk) -> None:
    conversation = talk(b"AUTH NTLM\r\n" * 25)
    assert conversation.closed == "too many errors"
    assert conversation.output == GREETING + b"-ERR This mechanism is not offered here\r\n" * 20


def test_too_many_errors_after_login_end_the_connection_and_delete_nothing(serve) -> None:
    server = serve(ONE)
    client = server.connect().login()
    client.say(b"DELE 1")
    for _ in range(20):
        client.say(b"FROB")
    assert client.closed == "too many errors"
    assert server.inbox == [ONE]


def test_NUL_in_a_command_is_refused(talk) -> None:
    assert talk(b"CA\0PA\r\n").output == GREETING + b"-ERR NUL in a command\r\n"


def test_USER_and_PASS_take_UTF_8_and_nothing_else(talk) -> None:
    conversation = talk("USER b\u00f6b@example.test\r\nPASS \u00fc\r\n".encode() + b"USER b\xf6b\r\n")
    _, user, password, latin, _ = conversation.output.split(b"\r\n")
    assert user == b"+OK Password, please" and password.startswith(b"-ERR [AUTH]")
    assert latin == b"-ERR Only UTF-8 is understood"
