"""What MAIL can ask for: HOLDFOR, HOLDUNTIL, BY, MT-PRIORITY, REQUIRETLS; and what becomes of DSN's parameters."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.config.units import duration
from worldmail.errors import Refusal
from worldmail.interfaces.outbound import Wishes
from worldmail.interfaces.store import Acceptance
from worldmail.mail.envelope import Notify, OriginalRecipient, Return
from worldmail.protocols.smtp.asked import Asked, DeliverBy, Hold
from worldmail.protocols.smtp.grammar import parse_mail
from worldmail.testing.smtp import SmtpScene, Talk

NOW = 1_900_000_000
"""What the clock of a scene says: 2030-03-17T17:46:40Z."""

LOGIN = b"EHLO a\r\nAUTH PLAIN " + base64.b64encode(b"\0bob@example.test\0secret") + b"\r\n"
EHLO = b"EHLO a\r\n"
TEXT = b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
SEND = b"RCPT TO:<bob@example.test>\r\n" + TEXT


def asked(parameters: bytes) -> Asked | None:
    return parse_mail(b"FROM:<a@b.test> " + parameters).asked


def play(parameters: bytes, *, begin: bytes = EHLO, then: bytes = b"", **scene: Any) -> tuple[SmtpScene, Talk]:
    """MAIL with these parameters; `then` follows."""
    made = SmtpScene(**scene)
    return made, made.play(begin + b"MAIL FROM:<bob@example.test> " + parameters + b"\r\n" + then)


def submit(parameters: bytes, then: bytes = b"", **scene: Any) -> tuple[SmtpScene, Talk]:
    """The same of a user, by submission."""
    return play(parameters, begin=LOGIN, then=then, listener="submission", tls=True, **scene)


def accepted(scene: SmtpScene) -> Acceptance:
    (one,) = scene.world.acceptance.accepted
    return one


# --- the grammar --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "wanted"),
    [
        (b"HOLDFOR=1", Asked(hold=Hold(text="for;1", seconds=1))),
        (b"holdfor=999999999", Asked(hold=Hold(text="for;999999999", seconds=999_999_999))),
        (b"HOLDUNTIL=2030-03-17T17:46:40Z", Asked(hold=Hold(text="until;2030-03-17T17:46:40Z", until=NOW))),
        (b"HOLDUNTIL=2030-03-17t17:46:40.0z", Asked(hold=Hold(text="until;2030-03-17t17:46:40.0z", until=NOW))),
        (b"HOLDUNTIL=2030-03-17T17:46:39.001Z", Asked(hold=Hold(text="until;2030-03-17T17:46:39.001Z", until=NOW))),
        (b"HOLDUNTIL=2030-03-17T17:45:60Z", Asked(hold=Hold(text="until;2030-03-17T17:45:60Z", until=NOW - 40))),
        (b"HOLDUNTIL=2030-03-17T17:46:40-00:00", Asked(hold=Hold(text="until;2030-03-17T17:46:40-00:00", until=NOW))),
        (b"BY=600;R", Asked(deliver_by=DeliverBy(seconds=600, mode="R", trace=False))),
        (b"by=+600;rt", Asked(deliver_by=DeliverBy(seconds=600, mode="R", trace=True))),
        (b"BY=-600;NT", Asked(deliver_by=DeliverBy(seconds=-600, mode="N", trace=True))),
        (b"BY=0;N", Asked(deliver_by=DeliverBy(seconds=0, mode="N", trace=False))),
        (b"MT-PRIORITY=0", Asked(priority=0)),
        (b"MT-PRIORITY=-9", Asked(priority=-9)),
        (b"mt-priority=9", Asked(priority=9)),
        (b"REQUIRETLS", Asked(require_tls=True)),
        (b"SIZE=1 REQUIRETLS MT-PRIORITY=3 BODY=8BITMIME", Asked(require_tls=True, priority=3)),
        (b"SIZE=1 BODY=8BITMIME RET=FULL", None),
    ],
)
def test_what_is_asked_for_is_read(parameter: bytes, wanted: Asked | None) -> None:
    assert asked(parameter) == wanted


WRONG = [
    b"HOLDFOR",
    b"HOLDFOR=0",
    b"HOLDFOR=-1",
    b"HOLDFOR=+1",
    b"HOLDFOR=01",
    b"HOLDFOR=1234567890",
    b"HOLDFOR=1 HOLDFOR=2",
    b"HOLDFOR=1 HOLDUNTIL=2030-03-17T17:46:40Z",
    b"HOLDUNTIL",
    b"HOLDUNTIL=2030-03-17",
    b"HOLDUNTIL=2030-03-17T17:46:40",
    b"HOLDUNTIL=2030-02-30T17:46:40Z",
    b"HOLDUNTIL=2030-03-17T24:00:00Z",
    b"HOLDUNTIL=2030-03-17T17:60:00Z",
    b"HOLDUNTIL=2030-03-17T17:46:61Z",
    b"HOLDUNTIL=2030-03-17T17:46:40+02:00",  # not in UTC, RFC 4865 §3
    b"HOLDUNTIL=2030-03-17T17:46:40-05:30",
    b"HOLDUNTIL=2030-03-17T17:46:40.Z",
    b"HOLDUNTIL=0000-03-17T17:46:40Z",
    "HOLDUNTIL=٢٠٣٠-03-17T17:46:40Z".encode(),
    b"BY",
    b"BY=600",
    b"BY=600;",
    b"BY=600;X",
    b"BY=600;RR",
    b"BY=600;NTT",
    b"BY=;N",
    b"BY=1234567890;N",
    b"BY=0;R",
    b"BY=-0;R",
    b"BY=-1;R",
    b"BY=1;N BY=1;N",
    b"MT-PRIORITY",
    b"MT-PRIORITY=10",
    b"MT-PRIORITY=-10",
    b"MT-PRIORITY=+1",
    b"MT-PRIORITY=-0",
    b"MT-PRIORITY=1 MT-PRIORITY=1",
    b"REQUIRETLS=YES",
    b"REQUIRETLS REQUIRETLS",
]


@pytest.mark.parametrize("parameter", WRONG)
def test_what_is_malformed_is_501(parameter: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        asked(parameter + b" SMTPUTF8")
    assert (caught.value.reply_code, caught.value.reply_enhanced) == (501, "5.5.4")


@given(st.sampled_from(["HOLDFOR", "HOLDUNTIL", "BY", "MT-PRIORITY", "REQUIRETLS"]), st.text(max_size=60))
def test_any_value_is_read_or_refused(keyword: str, value: str) -> None:
    try:
        asked(f"{keyword}={value} SMTPUTF8".encode())
    except Refusal as refused:
        assert refused.reply_code in (501, 555)


# --- what is announced ---------------------------------------------------------------------


def announced(talk: Talk) -> set[str]:
    """What the last EHLO announced."""
    lines = next(lines for lines in reversed(talk.replies) if lines[0].startswith("250-mail"))
    return {line[4:] for line in lines}


def test_dsn_deliverby_and_mt_priority_are_announced_everywhere() -> None:
    everywhere = {"DSN", "DELIVERBY", "MT-PRIORITY"}
    assert everywhere < announced(SmtpScene().play(EHLO))
    assert everywhere < announced(SmtpScene(listener="submission", tls=True).play(EHLO))


def test_the_shortest_time_is_announced_if_there_is_one() -> None:
    scene = SmtpScene(settings={"deliver_by_minimum": duration("2m")})
    assert "DELIVERBY 120" in announced(scene.play(EHLO))


def test_requiretls_is_announced_in_TLS_alone() -> None:
    assert "REQUIRETLS" not in announced(SmtpScene().play(EHLO))
    assert "REQUIRETLS" in announced(SmtpScene(tls=True).play(EHLO))


def test_futurerelease_is_announced_for_submission_with_the_longest_interval_and_the_last_moment() -> None:
    line = "FUTURERELEASE 2592000 2030-04-16T17:00:00Z"
    assert line in announced(SmtpScene(listener="submission", tls=True).play(EHLO))
    short = SmtpScene(listener="submission", tls=True, settings={"future_release": duration("10m")})
    assert "FUTURERELEASE 600 2030-03-17T17:56:40Z" in announced(short.play(EHLO))


@pytest.mark.parametrize(
    "scene",
    [
        {"listener": "smtp"},
        {"listener": "smtp", "tls": True, "changes": {"auth": True}},
        {"listener": "submission", "settings": {"future_release": duration("0s")}},
    ],
)
def test_futurerelease_is_unknown_elsewhere_and_where_it_is_off(scene: dict[str, Any]) -> None:
    begin = EHLO if scene == {"listener": "smtp"} else LOGIN
    made = {"tls": begin is LOGIN, **scene}
    assert not any(word.startswith("FUTURE") for word in announced(play(b"", begin=begin, **made)[1]))
    for parameter in (b"HOLDFOR=60", b"HOLDUNTIL=2030-03-18T00:00:00Z"):
        assert play(parameter, begin=begin, **made)[1].codes[-1] == "555 5.5.4"


# --- FUTURERELEASE --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "moment", "told"),
    [
        (b"HOLDFOR=3600", NOW + 3600, "for;3600"),
        (b"HOLDFOR=2592000", NOW + 2_592_000, "for;2592000"),
        (b"HOLDUNTIL=2030-03-17T18:46:40Z", NOW + 3600, "until;2030-03-17T18:46:40Z"),
    ],
)
def test_what_is_to_be_held_goes_to_the_queue_for_recipients_here_too(parameter: bytes, moment: int, told: str) -> None:
    then = b"RCPT TO:<alice@example.test>\r\nRCPT TO:<x@else.test>\r\n" + TEXT
    scene, talk = submit(parameter, then)
    assert talk.codes[-1] == "250 2.0.0"
    one = accepted(scene)
    assert one.deliveries == ()
    assert [(str(each.recipient.address), each.not_before, each.here) for each in one.onward] == [
        ("alice@example.test", moment, True),
        ("x@else.test", moment, False),
    ]
    assert one.wishes.release == told


@pytest.mark.parametrize(
    "parameter",
    [
        b"HOLDFOR=2592001",
        b"HOLDUNTIL=2030-04-16T17:00:01Z",
        b"HOLDUNTIL=9999-12-31T23:59:60Z",
        b"HOLDUNTIL=2030-03-17T17:46:40Z",
        b"HOLDUNTIL=2001-01-01T00:00:00Z",
        b"HOLDFOR=60 BY=60;R",
        b"HOLDFOR=60 BY=59;N",
        b"HOLDUNTIL=2030-03-17T17:46:41Z BY=-1;NT",
    ],
)
def test_what_cannot_be_held_so_is_501_and_begins_nothing(parameter: bytes) -> None:
    _, talk = submit(parameter, b"RCPT TO:<alice@example.test>\r\n")
    assert talk.codes[-2:] == ["501 5.5.4", "503 5.5.1"]


def test_the_last_moment_that_is_announced_may_be_named() -> None:
    assert submit(b"HOLDUNTIL=2030-04-16T17:00:00Z")[1].codes[-1] == "250 2.1.0"


def test_nothing_is_released_a_part_of_a_second_too_early() -> None:
    def halfway(world: Any) -> None:
        world.clock.time += 0.4

    scene, _ = submit(b"HOLDFOR=60 BY=61;R", b"RCPT TO:<x@else.test>\r\n" + TEXT, prepare=halfway)
    one = accepted(scene)
    assert one.onward[0].not_before == NOW + 61
    assert one.wishes.deliver_by == (NOW + 62, "R")


def test_a_hold_is_forgotten_with_its_transaction() -> None:
    then = b"RSET\r\nMAIL FROM:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\n" + TEXT
    scene, _ = submit(b"HOLDFOR=60 BY=600;R MT-PRIORITY=3 REQUIRETLS", then)
    one = accepted(scene)
    assert (one.onward, len(one.deliveries), one.wishes) == ((), 1, Wishes())


# --- DELIVERBY ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "by", "trace"),
    [
        (b"BY=600;R", (NOW + 600, "R"), False),
        (b"BY=600;NT", (NOW + 600, "N"), True),
        (b"BY=-600;N", (NOW - 600, "N"), False),
        (b"BY=61;R HOLDFOR=60", (NOW + 61, "R"), False),
    ],
)
def test_the_time_to_deliver_by_goes_with_the_message(parameter: bytes, by: tuple[int, str], trace: bool) -> None:
    scene, _ = submit(parameter, b"RCPT TO:<x@else.test>\r\n" + TEXT)
    wishes = accepted(scene).wishes
    assert (wishes.deliver_by, wishes.trace_by) == (by, trace)


def test_less_than_the_shortest_time_is_refused_if_it_is_to_be_returned() -> None:
    settings = {"deliver_by_minimum": duration("2m")}
    assert play(b"BY=119;R", settings=settings)[1].codes[-1] == "555 5.5.4"
    assert play(b"BY=120;R", settings=settings)[1].codes[-1] == "250 2.1.0"
    assert play(b"BY=1;N", settings=settings)[1].codes[-1] == "250 2.1.0"


# --- REQUIRETLS ----------------------------------------------------------------------------------


def test_requiretls_needs_TLS() -> None:
    assert play(b"REQUIRETLS")[1].codes[-1] == "530 5.7.0"
    scene, talk = play(b"REQUIRETLS", then=SEND, tls=True)
    assert talk.codes[-1] == "250 2.0.0"
    assert accepted(scene).wishes.require_tls


# --- DSN -----------------------------------------------------------------------------------------


def test_dsn_parameters_reach_the_envelope_and_what_goes_on() -> None:
    scene = SmtpScene(prepare=lambda world: world.add_alias("away@example.test", "y@else.test"))
    talk = scene.play(
        b"EHLO a\r\nMAIL FROM:<a@a.test> RET=FULL ENVID=id+3D1\r\n"
        b"RCPT TO:<away@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first+2Bx@far.test\r\n"
        b"RCPT TO:<bob@example.test> NOTIFY=SUCCESS\r\nRCPT TO:<alice@example.test> NOTIFY=NEVER\r\n" + TEXT
    )
    assert talk.codes[-1] == "250 2.0.0"
    one = accepted(scene)
    assert (one.envelope.returns, one.envelope.envelope_id) == (Return.FULL, "id=1")
    here = [(str(each.recipient.address), each.here) for each in one.onward]
    assert ("bob@example.test", True) in here, "who wants to hear of success is told by the queue"
    assert [each.account_id for each in one.deliveries] == [2]
    away = next(each for each in one.onward if str(each.recipient.address) in ("away@example.test", "y@else.test"))
    assert away.recipient.notify == {Notify.SUCCESS, Notify.FAILURE}
    assert away.recipient.original == OriginalRecipient(address_type="rfc822", address="first+x@far.test")
