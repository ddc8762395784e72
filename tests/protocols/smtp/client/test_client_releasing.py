"""Asking a server to send what waits for us (RFC 1985)."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from tests.protocols.smtp.client.turned_line import HOP, Lines, Relay, Site
from worldmail.interfaces.ondemand import Result
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS

OFFERS = ("STARTTLS", "AUTH CRAM-MD5", "ETRN")


def ask(*answers: str, nodes: tuple[str, ...] = ("shop.test",), cut: str = "whole", pipelining: bool = False) -> Result:
    """What comes of it."""
    return ask_server(make_server(*answers, pipelining=pipelining), nodes, cut)


def make_server(*answers: str, pipelining: bool = False) -> ScriptedServer:
    offers = (*OFFERS, *(["PIPELINING"] if pipelining else []))
    replies = {"AUTH": ["334 PDEyMzQ+"], "*": ["235 2.7.0 ok"], "ETRN": list(answers)}
    return ScriptedServer(offers=offers, answers=replies)


def ask_server(server: ScriptedServer, nodes: tuple[str, ...], cut: str = "whole") -> Result:
    site = Site(lines=Lines(relay=Relay(server=server), cut=cut))
    results: list[Result] = []
    Deferred.fromCoroutine(site.fetches.ask(HOP, nodes)).addCallback(results.append)
    [result] = results
    return result


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("reply", "ok", "messages"),
    [
        ("250 OK, queuing for node shop.test started", True, None),
        ("251 OK, no messages waiting for node shop.test", True, 0),
        ("252 OK, pending messages for node shop.test started", True, None),
        ("253 OK, 14 pending messages for node shop.test started", True, 14),
        ("253-2.0.0 Ok,\r\n253 2.0.0 1 pending message for node shop.test started", True, 1),
        ("253 whatever", True, None),
        ("458 Unable to queue messages for node shop.test", False, None),
        ("459 Node shop.test not allowed: x", False, None),
        ("500 Syntax Error", False, None),
        ("501 Syntax Error in Parameters", False, None),
        ("502 no", False, None),
        ("530 5.7.0 Authentication required", False, None),
        ("450 later", False, None),
        ("554 never", False, None),
    ],
)
def test_each_answer_is_read_in_its_true_meaning(cut: str, reply: str, ok: bool, messages: int | None) -> None:
    result = ask(reply, cut=cut)
    assert (result.ok, result.messages) == (ok, messages)
    assert reply.rpartition("\n")[2][:3] in result.words
    assert result.words.startswith("shop.test: ")


@pytest.mark.parametrize("pipelining", [False, True])
def test_each_name_is_a_command_of_its_own_and_then_we_leave(pipelining: bool) -> None:
    nodes = ("shop.test", "@sea.test", "#ship")
    answers = ("253 OK, 2 pending messages", "251 none", "253 OK, 3 pending messages for node #ship started")
    server = make_server(*answers, pipelining=pipelining)
    result = ask_server(server, nodes)
    assert server.commands[-4:] == ["ETRN shop.test", "ETRN @sea.test", "ETRN #ship", "QUIT"]
    assert (result.ok, result.messages) == (True, 5)
    assert result.words.count("; ") == 2


def test_one_that_is_refused_spoils_the_whole_and_hinders_no_other() -> None:
    result = ask("459 no", "253 OK, 2 pending messages", nodes=("a.test", "b.test"))
    assert (result.ok, result.messages) == (False, None)
    assert "a.test: The server does not do that for us: 459 no; b.test: 253" in result.words


@pytest.mark.parametrize("last", ["CLOSE", "421 4.3.2 bye CLOSE", "354 what", "rubbish"])
def test_what_was_answered_before_the_end_is_told(last: str) -> None:
    result = ask("250 ok", last, nodes=("a.test", "b.test"))
    assert not result.ok
    assert result.words.startswith("a.test: 250 ok; The ")


def test_who_does_not_answer_is_left() -> None:
    lines = Lines(relay=Relay(server=make_server("SILENCE")))
    site = Site(lines=lines)
    results: list[Result] = []
    Deferred.fromCoroutine(site.fetches.ask(HOP, ("a.test",))).addCallback(results.append)
    assert not results
    lines.time_out()
    assert [(result.ok, result.words) for result in results] == [(False, "The server did not answer in time")]
