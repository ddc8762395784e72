"""`worldmail trace`: one message from its acceptance to what the last server said, in words."""

from __future__ import annotations

import re
import smtplib

from tests.cli.conftest import MESSAGE, Commands, Sending
from worldmail.testing.process import ServerProcess


def test_a_message_is_followed_to_the_last_reply_for_each_recipient(sending: Sending) -> None:
    sending.send("a@far.test", "later@far.test", "never@far.test", "postmaster@example.test")
    said = sending.trace("<one@two.test>", "deferred").out
    message, report = said.split("\n\n")
    lines = [line.partition("  ")[2] for line in message.strip().splitlines()]
    id_ = re.match(r"(\w{16}): from postmaster@example.test to a@far.test, later@far.test, never", message)
    assert id_ is not None and "Message-ID <one@two.test>" in message
    expected = (
        r"\d{4}-\d\d-\d\d UTC",
        r"TIME  accepted from 127.0.0.1 by ESMTP: in the mailbox of postmaster@example.test, "
        r"queued for a@far.test, later@far.test, never@far.test",
        r"TIME  handed to SERVER for a@far.test: 250 2.0.0 Kept as 4711",
        r"TIME  deferred for later@far.test at SERVER: 451 4.7.1 Come \S+ again \(attempt 1, next try (.* )?TIME\)",
        r"TIME  failed for never@far.test at SERVER: 550 5.1.1 Nobody here of that name",
        r"TIME  postmaster@example.test is told by the report \w{16}",
        r"now       later@far.test waits: tried 1 time, next try (.* )?TIME, given up .*TIME; said last: 451 .*",
    )
    for line, pattern in zip(lines[1:], expected, strict=True):
        pattern = pattern.replace("TIME", r"\d\d:\d\d:\d\d").replace("SERVER", r"\[127\.0\.0\.1\]:\d+")
        assert re.fullmatch(pattern, line), (pattern, line)
    assert "\x1b" not in said
    assert re.match(r"(\w{16}): from <> to postmaster", report)
    assert f"a report on {id_[1]}: in the mailbox of postmaster@example.test" in report
    assert "content that" not in said


def test_what_administrators_do_is_told_and_the_end(sending: Sending) -> None:
    sending.send("later@far.test")
    (id_,) = re.findall(r"^\w{16}", sending.trace("later@far.test", "deferred").out)
    for word in ("hold", "release"):
        sending.worldmail.ok("queue", word, id_)
        if word == "hold":
            assert "later@far.test is held until it is released, tried 1 time" in sending.trace(id_, "held").out
    sending.worldmail.ok("queue", "redirect", id_, "--to", "b@far.test")
    said = sending.trace("b@far.test", "nothing of it waits").out
    assert "an administrator holds it back: later@far.test" in said
    assert "an administrator sends it to b@far.test in place of later@far.test" in said
    assert "for b@far.test: 250 2.0.0 Kept as 4711" in said


def test_what_an_alias_leads_to_elsewhere_finds_the_message_too(sending: Sending) -> None:
    sending.worldmail.ok("alias", "add", "away@example.test", "a@far.test", "postmaster@example.test")
    sending.send("away@example.test", sender="b@far.test")
    said = sending.trace("a@far.test", "nothing of it waits").out
    assert ": in the mailbox of postmaster@example.test, queued for a@far.test" in said
    assert sending.worldmail.ok("trace", "away@example.test").out == said


def test_machines_get_every_record_as_it_is_kept(sending: Sending) -> None:
    sending.send("a@far.test")
    sending.trace("a@far.test", "nothing of it waits")
    accepted, delivered = sending.worldmail.ok("trace", "a@far.test", "--json").json
    assert set(accepted) == set(delivered) == {"at", "acceptance", "event", "detail"}
    assert (accepted["event"], accepted["detail"]["queued"]) == ("accepted", ["a@far.test"])
    assert (delivered["event"], delivered["detail"]["to"]) == ("delivered", ["a@far.test"])
    assert delivered["detail"]["said"] == "250 2.0.0 Kept as 4711"


def test_of_an_address_with_many_messages_the_latest_are_told(site: ServerProcess, worldmail: Commands) -> None:
    site.start()
    with smtplib.SMTP("127.0.0.1", site.port(25), timeout=60) as client:
        for number in range(3):
            client.sendmail(f"{number}@far.test", ["postmaster@example.test"], MESSAGE)
    answer = worldmail.ok("trace", "postmaster@example.test", "--limit", "2")
    assert "1@far.test" in answer.out and "2@far.test" in answer.out and "0@far.test" not in answer.out
    assert "--limit gives more" in answer.err
    assert len(worldmail.ok("trace", "postmaster@example.test", "--json").json) == 3


def test_an_argument_that_is_no_text_is_refused_in_one_line(worldmail: Commands) -> None:
    answer = worldmail("trace", "\udcff@x.test")  # the octet FF
    assert (answer.status, answer.err) == (2, "worldmail: an argument is not written in UTF-8\n")
