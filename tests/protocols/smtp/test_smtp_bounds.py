"""Bounds of size, errors and time, and what is said where the store or we ourselves fail."""

from __future__ import annotations

import pytest
from attrs import evolve

from worldmail.config.settings import PolicySettings
from worldmail.errors import NoSuchRecipient, OverQuota, StorageFull, TemporaryFailure
from worldmail.testing.smtp import SmtpScene, envelope, with_body
from worldmail.testing.world import MemoryWorld


def test_a_declared_size_over_the_limit_is_refused_at_mail() -> None:
    scene = SmtpScene(settings={"message_size": 100_000})
    assert scene.play(b"EHLO a\r\nMAIL FROM:<> SIZE=100001\r\nMAIL FROM:<> SIZE=100000\r\n").codes[2:] == [
        "552 5.3.4",
        "250 2.1.0",
    ]


def test_a_message_over_the_limit_is_read_to_its_end_and_refused() -> None:
    scene = SmtpScene(settings={"message_size": 65536})
    text = with_body(b"x" * 65536) + b"NOOP\r\n"
    talk = scene.play(text, ways=("whole", "line by line", "next command glued on"))
    assert talk.codes[-2:] == ["552 5.3.4", "250 2.0.0"]
    assert scene.contents() == []
    assert all(writer.aborted for writer in scene.world.acceptance.writers)


def test_a_header_over_the_limit_is_refused() -> None:
    scene = SmtpScene(settings={"header_size": 16384})
    field = b"X: " + b"y" * 900 + b"\r\n"
    talk = scene.play(with_body(b"x", header=field * 20), ways=("whole", "line by line"))
    assert talk.codes[-1] == "552 5.3.4"


def test_a_recipients_own_limit_holds_for_the_whole_message() -> None:
    scene = SmtpScene(prepare=lambda world: world.add_account("small@example.test", max_message=100))
    text = envelope(b"<a@a.test>", b"<small@example.test>", b"<bob@example.test>") + b"DATA\r\n\r\n%s\r\n.\r\n"
    assert scene.play(text % (b"x" * 80)).codes[-1] == "250 2.0.0"
    assert scene.play(text % (b"x" * 200)).replies[-1] == [
        "552 5.3.4 Message exceeds the size limit of <small@example.test>, nobody gets it"
    ]
    chunk = envelope(b"<a@a.test>", b"<bob@example.test>", b"<small@example.test>") + b"BDAT 202 LAST\r\n\r\n"
    assert "of <small@example.test>" in scene.play(chunk + b"x" * 200).replies[-1][0]
    alone = envelope(b"<a@a.test>", b"<small@example.test>") + b"DATA\r\n\r\n%s\r\n.\r\n"
    assert scene.play(alone % (b"x" * 200)).replies[-1] == ["552 5.3.4 Message exceeds the size limit"]


def test_a_header_over_its_limit_is_nobodys_in_particular() -> None:
    scene = SmtpScene(
        settings={"header_size": 16384},
        prepare=lambda world: world.add_account("small@example.test", max_message=100_000),
    )
    header = b"X: " + b"y" * 900 + b"\r\n"
    text = envelope(b"<a@a.test>", b"<small@example.test>", b"<bob@example.test>")
    talk = scene.play(text + b"DATA\r\n" + header * 20 + b"\r\nx\r\n.\r\n", ways=("whole", "line by line"))
    assert talk.replies[-1] == ["552 5.3.4 Message header exceeds the size limit"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(TemporaryFailure(), "451 4.3.0"), (NoSuchRecipient(), "550 5.1.1"), (OverQuota(), "452 4.2.2")],
)
def test_what_the_store_cannot_do_is_the_reply_and_the_session_goes_on(error: Exception, code: str) -> None:
    scene = SmtpScene(prepare=lambda world: setattr(world.acceptance, "fail", error))
    talk = scene.play(with_body(b"x") + b"MAIL FROM:<>\r\n")
    assert talk.codes[-2:] == [code, "250 2.1.0"]


def test_a_full_disk_is_told_at_MAIL() -> None:
    scene = SmtpScene(prepare=lambda world: setattr(world.acceptance, "fail", StorageFull()))
    assert scene.play(b"EHLO a\r\nMAIL FROM:<> SIZE=100\r\nNOOP\r\n").codes[-2:] == ["452 4.3.1", "250 2.0.0"]


def test_a_writer_that_fails_to_finish_is_the_reply() -> None:
    scene = SmtpScene(prepare=lambda world: setattr(world.acceptance, "fail_writer", StorageFull()))
    assert scene.play(with_body(b"x") + b"NOOP\r\n").codes[-2:] == ["452 4.3.1", "250 2.0.0"]


def test_a_writer_that_is_behind_is_waited_for() -> None:
    scene = SmtpScene(prepare=lambda world: setattr(world.acceptance, "slow", True))
    scene.play(with_body(b"x"))
    assert scene.world.acceptance.writers[0].caught_up_calls > 0


def test_a_fault_of_ours_ends_the_session_with_421_and_is_logged() -> None:
    scene = SmtpScene(prepare=lambda world: setattr(world.directory, "fail", RuntimeError("private")))
    talk = scene.play(envelope() + b"NOOP\r\n")
    assert talk.codes[-1] == "421 4.3.0"
    assert talk.closed == "internal error"
    assert b"private" not in talk.conversation.output
    assert [name for name, _ in scene.world.journal.failures] == ["smtp.failed"]


def test_a_lost_connection_forgets_the_content() -> None:
    scene = SmtpScene()
    scene.play(envelope() + b"DATA\r\nSubject: x\r\n\r\nhalf a mess")
    assert [writer.aborted for writer in scene.world.acceptance.writers] == [True]
    assert scene.contents() == []


def test_a_refusal_is_recorded_with_its_stage() -> None:
    scene = SmtpScene()
    scene.play(envelope(b"<a@a.test>", b"<nobody@example.test>"))
    (record,) = scene.world.journal.named("refused")
    assert (record["stage"], record["code"], record["enhanced"]) == ("RCPT", 550, "5.1.1")
    assert record["argument"] == "TO:<nobody@example.test>"


def test_too_many_errors_end_the_session() -> None:
    talk = SmtpScene(settings={"errors": 3}).play(b"X\r\n" * 10)
    assert talk.codes == ["220", "500 5.5.1", "500 5.5.1", "500 5.5.1", "421 4.7.0"]
    assert talk.closed == "too many errors"


def test_an_exempt_peer_may_err() -> None:
    talk = SmtpScene(settings={"errors": 3}, peer={"exempt": True}).play(b"X\r\n" * 10)
    assert talk.closed is None


def test_refused_recipients_have_a_count_of_their_own() -> None:
    scene = SmtpScene(settings={"errors": 3, "refused_recipients": 5})
    talk = scene.play(b"EHLO a\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<nobody@example.test>\r\n" * 10)
    assert talk.codes[3:] == ["550 5.1.1"] * 5 + ["421 4.7.0"]


def test_commands_that_do_no_work_end_the_session() -> None:
    talk = SmtpScene(settings={"idle_commands": 10}).play(b"NOOP\r\n" * 20)
    assert talk.codes == ["220", *["250 2.0.0"] * 10, "421 4.7.0"]


def test_a_line_that_is_too_long_is_refused_and_none_of_it_is_a_command() -> None:
    talk = SmtpScene().play(b"NOOP " + b"x" * 5000 + b"\r\nNOOP\r\n")
    assert talk.codes == ["220", "500 5.5.2", "250 2.0.0"]


def test_the_longest_line_is_taken() -> None:
    assert SmtpScene().play(b"NOOP " + b"x" * 2041 + b"\r\n").codes[-1] == "250 2.0.0"
    assert SmtpScene().play(b"NOOP " + b"x" * 2042 + b"\r\n").codes[-1] == "500 5.5.2"


def test_a_nul_in_a_command_is_refused() -> None:
    assert SmtpScene().play(b"NO\0OP\r\nNOOP\r\n").codes == ["220", "500 5.5.2", "250 2.0.0"]


@pytest.mark.parametrize(
    "wrong", [b"NOOP\nNOOP\r\n", b"NOOP\rNOOP\r\n", b"\nQUIT\r\n", b"MAIL FROM:<a@a.test>\nRCPT\r\n"]
)
def test_a_bare_cr_or_lf_in_a_command_ends_the_session(wrong: bytes) -> None:
    talk = SmtpScene().play(b"EHLO a\r\n" + wrong + b"NOOP\r\n")
    assert talk.codes == ["220", "250", "500 5.5.2"]
    assert talk.closed in ("bare LF", "bare CR")


@pytest.mark.parametrize(("setting", "code"), [("temporary", "452 4.2.2"), ("permanent", "552 5.2.2")])
def test_a_mailbox_that_fills_up_meanwhile_is_told_as_the_site_says(setting: str, code: str) -> None:
    def prepare(world: MemoryWorld) -> None:
        policy = PolicySettings(over_quota=setting)
        world.world = world.replace(settings=evolve(world.world.settings, policy=policy))
        world.acceptance.fail = OverQuota()

    assert SmtpScene(prepare=prepare).play(with_body(b"x")).codes[-1] == code


def test_a_command_with_all_that_may_stand_in_it_is_taken_under_the_smallest_bound() -> None:
    """RFC 3461 §5.4: any combination of parameters."""
    domain = ".".join(["d" * 63] * 3 + ["e" * 57, "test"])
    xtext = "+2B" * 31
    mail = (
        f"MAIL FROM:<{'a' * 64}@{domain}> SIZE={'0' * 19}1 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID={xtext}"
        f" AUTH={'b' * 60}@{domain} BY=-999999999;NT MT-PRIORITY=-9"
    )
    rcpt = f"RCPT TO:<bob@example.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{'+2B' * 164}"
    scene = SmtpScene(settings={"command_line": 1280})
    assert scene.play(f"EHLO a\r\n{mail}\r\n{rcpt}\r\n".encode()).codes[2:] == ["250 2.1.0", "250 2.1.5"]
    with pytest.raises(ValueError, match="command_line"):
        SmtpScene(settings={"command_line": 1279}).make_session()
