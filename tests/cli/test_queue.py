"""`worldmail queue`: what waits, in lists and figures; what an administrator does with it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Commands, Sending

REPLIES = {"2xx": 1, "4xx": 1, "5xx": 1, "none": 0}


def test_what_waits_is_listed_shown_and_exported(sending: Sending) -> None:
    sending.send("later@far.test")
    sending.trace("later@far.test", "deferred")
    (row,) = sending.worldmail.ok("queue", "list", "--domain", "far.test", "--json").json
    assert (row["to"], row["state"], row["attempts"]) == ("later@far.test", "waiting", 1)
    assert row["said"].startswith("451 4.7.1")
    shown = sending.worldmail.ok("queue", "show", row["id"]).out
    assert "later@far.test" in shown and "host peer" in shown
    assert "Subject: x" in sending.worldmail.ok("queue", "export", row["id"]).out
    assert sending.worldmail.ok("queue", "list", "--state", "held", "--json").json == []


def test_replies_are_counted_in_all_and_by_destination(sending: Sending) -> None:
    sending.send("a@far.test", "later@far.test", "never@far.test")
    sending.trace("later@far.test", "deferred")
    sending.site.stop()  # servers keep what they counted once a minute, and at their end
    counters = sending.worldmail.ok("queue", "counters", "--json").json
    assert counters["recipients"] == {"waiting": 1, "held": 0, "leased": 0}
    assert (counters["messages"], counters["replies"]) == (1, REPLIES)
    assert counters["replies_by_destination"] == {"host peer": REPLIES}
    (destination,) = sending.worldmail.ok("queue", "destinations", "--json").json
    assert (destination["destination"], destination["waiting"], destination["attempts"]) == ("host peer", 1, 1)
    assert destination["replies"] == REPLIES


def test_a_change_of_everything_must_be_asked_for(sending: Sending) -> None:
    assert sending.worldmail("queue", "remove").status == 2
    sending.send("later@far.test")
    sending.trace("later@far.test", "deferred")
    assert sending.worldmail.ok("queue", "remove", "--all").out == "1 recipient removed\n"
    assert sending.worldmail.ok("queue", "list", "--json").json == []


@pytest.mark.parametrize("option", ["--destination", "--route", "--domain", "--recipient", "--sender"])
def test_an_option_with_nothing_behind_it_does_not_mean_everything(sending: Sending, option: str) -> None:
    done = sending.worldmail("queue", "remove", option, "")
    assert done.status == 2 and "nothing is said behind it" in done.err


def test_a_route_takes_what_waits_too_once_that_is_tried_again(sending: Sending) -> None:
    sending.site.stop()  # a server knows at its start what a command changed, and else some moments later
    sending.worldmail.ok("route", "set", "peer", "domain=other.test")
    sending.site.start()
    sending.send("a@far.test")
    sending.trace("a@far.test", "deferred for a@far.test")
    sending.worldmail.ok("route", "set", "peer", "domain=*")
    assert sending.worldmail.ok("queue", "retry", "--all").out == "1 recipient to be tried now\n"
    assert "250 2.0.0 Kept as 4711" in sending.trace("a@far.test", "nothing of it waits").out


@pytest.mark.parametrize("command", ["retry", "hold", "release", "remove"])
def test_a_message_that_is_named_and_not_there_is_said(worldmail: Commands, command: str) -> None:
    assert "there is no message 06H000000000000 in the queue" in worldmail.refused("queue", command, "06H000000000000")


@pytest.mark.parametrize("command", ["list", "retry", "remove"])
def test_an_address_where_an_id_belongs_is_told_where_it_belongs(worldmail: Commands, command: str) -> None:
    done = worldmail("queue", command, "later@far.test")
    assert done.status == 2 and "--recipient" in done.err


def test_mail_is_not_redirected_to_who_is_not_here_and_that_one_is_named(sending: Sending) -> None:
    sending.send("later@far.test")
    sending.trace("later@far.test", "deferred")
    said = sending.worldmail.refused("queue", "redirect", "--all", "--to", "nobody@example.test")
    assert "nobody@example.test: No such mailbox here" in said
