"""Fetching mail from a mailbox elsewhere: nothing lost, nothing doubled, deleted only when it is safe here."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.ondemand.collecting_site import CollectingSite, result_of, text
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.collection import IRemoteDrop, IRemoteDrops
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.ondemand import IErrand
from worldmail.policy.bounds import HopsCheck
from worldmail.policy.chain import PolicyChain
from worldmail.testing.remote_drop import MemoryDrop, MemoryRemote
from worldmail.testing.world import MemoryJournal

ANN, BOB = text("ann@example.test"), text("bob@example.test")


def site_with(messages: dict[str, bytes], **fields: Any) -> CollectingSite:
    return CollectingSite(remote=MemoryRemote(messages=dict(messages), **fields))


def test_the_fakes_and_the_errand_keep_their_interfaces() -> None:
    site = CollectingSite()
    assert verifyObject(IErrand, site.errand())
    assert verifyObject(IRemoteDrops, site.remote)
    assert verifyObject(IRemoteDrop, MemoryDrop(site.remote))


def test_each_message_goes_to_whom_it_is_for_and_is_deleted_there() -> None:
    site = site_with({"a": ANN, "b": BOB})
    result = site.run()
    assert (result.ok, result.messages) == (True, 2)
    assert result.words == "2 fetched from pop.b.test[192.0.2.1]:995, 2 deleted there"
    [mail] = site.mail("ann")
    assert mail.startswith(b"Return-Path: <>\r\nDelivered-To: ann@example.test\r\nReceived: from pop.b.test")
    assert b"([192.0.2.1])\r\n\tby mail.example.test with POP3 id " in mail
    assert b"for <ann@example.test>" in mail
    assert mail.endswith(ANN)
    assert len(site.mail("bob")) == 1
    assert site.remote.messages == {}


def test_the_next_run_forgets_what_is_gone_there() -> None:
    site = site_with({"a": ANN})
    site.run()
    assert site.names() == ["a"]
    site.run()
    assert site.names() == []


def test_a_copy_with_the_recipient_in_an_envelope_field_reaches_who_was_in_bcc() -> None:
    site = site_with({"a": text("list@far.test", "Delivered-To: bob@example.test\r\n")})
    site.run()
    assert len(site.mail("bob")) == 1
    [detail] = site.rows("SELECT detail FROM trace WHERE event = 'collected'", read=lambda row: row[0])
    assert '"agent":"box"' in detail and "by Delivered-To (certain)" in detail


def test_what_stays_there_is_fetched_once_and_deleted_when_its_time_is_over() -> None:
    site = site_with({"a": ANN})
    site.run(leave="7")
    assert site.run(leave="7").messages == 0
    assert site.remote.retrieved == ["a"] and "a" in site.remote.messages
    site.base.memory.clock.advance(7 * 86400)
    assert site.run(leave="7").words == "0 fetched from pop.b.test[192.0.2.1]:995, 1 deleted there"
    assert site.remote.messages == {} and len(site.mail("ann")) == 1


def test_what_is_left_for_ever_is_never_deleted() -> None:
    site = site_with({"a": ANN})
    site.run(leave="forever")
    site.base.memory.clock.advance(5000 * 86400)
    assert site.run(leave="forever").messages == 0
    assert "a" in site.remote.messages and site.names() == ["a"]


def test_a_lost_goodbye_doubles_nothing() -> None:
    site = site_with({"a": ANN, "b": BOB}, close_fails=True)
    result = site.run()
    assert not result.ok and "The connection was lost" in result.words
    site.remote.close_fails = False
    assert site.run().messages == 0
    assert site.remote.messages == {}
    assert [len(site.mail(name)) for name in ("ann", "bob")] == [1, 1]


@pytest.mark.parametrize("nameless", [False, True])
def test_a_connection_that_is_lost_anywhere_loses_and_doubles_nothing(nameless: bool) -> None:
    messages = {f"u{n}": text("ann@example.test", f"X-Number: {n}\r\n") for n in range(6)}
    for after in range(24):
        site = site_with(messages, lost_after=after, nameless=nameless)
        for _ in range(3):
            site.run()
        site.remote.lost_after = None
        site.run()
        bodies = [mail.partition(b"X-Number: ")[2][:1] for mail in site.mail("ann")]
        assert sorted(bodies) == [b"%d" % n for n in range(6)], after
        assert site.remote.messages == {}


def test_a_server_without_names_is_remembered_by_headers() -> None:
    site = site_with({"a": ANN}, nameless=True)
    site.run(leave="forever")
    site.remote.messages["a"] = b"Status: RO\r\n" + ANN  # as some servers write into what was read
    assert site.run(leave="forever").messages == 0
    assert len(site.mail("ann")) == 1


def test_of_messages_with_the_same_name_none_is_deleted_that_was_not_fetched() -> None:
    site = site_with({"a": ANN, "b": BOB, "copy": ANN}, same="x")
    for _ in range(3):
        site.run()
        assert [len(site.mail(name)) for name in ("ann", "bob")] == [1, 1]
    assert site.remote.messages == {} and site.remote.retrieved == ["a", "b"]


def test_a_server_that_gave_names_and_gives_none_now_is_left_alone() -> None:
    site = site_with({"a": ANN})
    site.run(leave="forever")
    site.remote.nameless = True
    result = site.run(leave="forever")
    assert not result.ok and "no names" in result.words
    assert len(site.mail("ann")) == 1 and site.names() == ["a"]


def test_mail_that_names_nobody_or_nobody_who_is_here_is_unclaimed() -> None:
    site = site_with({"a": text("someone@far.test"), "b": text("typo@example.test")})
    result = site.run()
    assert result.ok and "2 of them unclaimed" in result.words
    assert site.remote.messages == {}
    shown = result_of(Deferred.fromCoroutine(site.admin.messages()))
    assert [one.to for one in shown] == ["someone@far.test", "typo@example.test"]


def test_of_several_recipients_those_that_are_here_get_it() -> None:
    site = site_with({"a": text("typo@example.test, ann@example.test, bob@example.test")})
    assert site.run().messages == 1
    assert len(site.mail("ann")) == len(site.mail("bob")) == 1
    assert b"for <" not in site.mail("ann")[0].partition(b"From:")[0]


def test_plain_collection_gives_all_to_one() -> None:
    site = site_with({"a": text("someone@far.test"), "b": BOB})
    site.run(recipient="ann@example.test")
    assert len(site.mail("ann")) == 2 and site.mail("bob") == []


def test_nothing_is_fetched_for_who_is_not_here() -> None:
    site = site_with({"a": ANN})
    result = site.run(recipient="nobody@example.test")
    assert not result.ok and "nobody@example.test" in result.words
    assert site.remote.conversations == 0


def test_a_message_that_is_too_large_stays_there_and_is_told() -> None:
    site = site_with({"a": text(body="x" * 5000), "b": BOB})
    result = site.run(largest="2000")
    assert not result.ok and result.messages == 1
    assert "1 left there: message 1 (a)" in result.words
    assert list(site.remote.messages) == ["a"] and site.remote.retrieved == ["b"]


def test_messages_that_are_too_large_take_no_other_s_place_in_a_run() -> None:
    site = site_with({"a": text(body="x" * 5000), "b": text(body="x" * 6000), "c": BOB, "d": ANN})
    result = site.run(largest="2000", at_once="1")
    assert result.messages == 1 and "1 wait for the next run; 2 left there" in result.words
    assert site.run(largest="2000", at_once="1").messages == 1
    assert list(site.remote.messages) == ["a", "b"]


def test_a_clock_that_went_back_keeps_nothing_there_that_was_to_go_at_once() -> None:
    site = site_with({"a": ANN}, close_fails=True)
    site.run()
    site.remote.close_fails = False
    site.base.memory.clock.advance(-86400)
    assert site.run().messages == 0
    assert site.remote.messages == {}


def test_a_size_that_the_server_makes_up_counts_for_nothing() -> None:
    site = site_with({"a": text(body="x" * 50_000), "b": BOB}, sizes={"a": 0}, piece=1000)
    result = site.run(largest="20000")
    assert "Message exceeds the size limit" in result.words and result.messages == 1
    assert list(site.remote.messages) == ["a"]


def test_what_the_server_does_not_give_keeps_no_other() -> None:
    site = site_with({"a": ANN, "b": BOB}, refuse={"a"})
    result = site.run()
    assert result.messages == 1 and "no such message" in result.words and not result.ok


def test_mail_for_a_full_mailbox_stays_there_until_there_is_room() -> None:
    site = site_with({"a": text("full@example.test"), "b": BOB})
    result = site.run()
    assert result.messages == 1 and "Mailbox is full" in result.words
    assert list(site.remote.messages) == ["a"] and site.mail("full") == []
    assert "a" not in site.names()


def test_the_return_path_on_top_becomes_the_sender_and_one_below_does_not() -> None:
    top = text("ann@example.test", "Return-Path: <eve@far.test>\r\nReceived: by x; y\r\n")
    below = text("bob@example.test", "Received: by x; y\r\nReturn-Path: <victim@far.test>\r\n")
    site = site_with({"a": top, "b": below})
    site.run()
    assert site.mail("ann")[0].startswith(b"Return-Path: <eve@far.test>\r\n")
    assert site.mail("ann")[0].count(b"Return-Path") == 1
    assert site.mail("bob")[0].startswith(b"Return-Path: <>\r\n")


def test_results_that_pretend_to_be_ours_are_taken_out() -> None:
    fields = (
        "Authentication-Results: (a) Mail.Example.Test 1;\r\n spf=pass\r\nAuthentication-Results: pop.b.test; none\r\n"
    )
    site = site_with({"a": text("ann@example.test", "Return-Path: <eve@far.test>\r\n" + fields)})
    site.run()
    [mail] = site.mail("ann")
    assert b"Authentication-Results: pop.b.test; none\r\n" in mail
    assert mail.count(b"Authentication-Results") == mail.count(b"Return-Path") == 1


def test_mail_that_goes_round_stays_there() -> None:
    hops = PolicyChain([HopsCheck(50)], MemoryJournal())
    site = CollectingSite(policy=hops)
    site.remote.messages["a"] = text("ann@example.test", "Received: by x; y\r\n" * 51)
    result = site.run()
    assert not result.ok and "looping" in result.words
    assert site.mail("ann") == [] and "a" in site.remote.messages


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"no header at all\r\n", b"Subject: only a header\r\n", b"\r\nbody\r\n", b"x" * 3000 + b"\r\n"],
)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_whatever_a_message_looks_like_it_comes_whole(content: bytes, piece: int) -> None:
    site = site_with({"a": content}, piece=piece)
    assert site.run(recipient="ann@example.test").ok
    assert site.mail("ann")[0].endswith(content)


def test_a_header_without_end_is_refused() -> None:
    site = site_with({"a": b"X: " + b"y" * 400_000, "b": BOB}, piece=10_000)
    result = site.run()
    assert result.messages == 1 and "header" in result.words


def test_one_run_takes_so_many_and_says_what_waits() -> None:
    site = site_with({f"u{n}": text("ann@example.test", f"X: {n}\r\n") for n in range(5)})
    assert "2 wait for the next run" in site.run(at_once="3").words
    assert site.run(at_once="3").messages == 2
    assert len(site.mail("ann")) == 5


def test_many_are_under_way_at_once_but_no_more_than_fit() -> None:
    small = site_with({f"u{n}": text("ann@example.test", f"X: {n}\r\n") for n in range(100)}, stuck=True)
    running = small.begin()
    assert small.remote.most == 32
    small.remote.stuck = False
    small.remote.go_on()
    assert result_of(running).messages == 100
    large = site_with({f"u{n}": ANN for n in range(9)}, stuck=True, sizes={f"u{n}": 3_000_000 for n in range(9)})
    running = large.begin()
    assert large.remote.most == 1
    large.remote.stuck = False
    large.remote.go_on()
    assert result_of(running).ok


def test_a_run_that_is_stopped_comes_to_rest_and_the_next_goes_on() -> None:
    site = site_with({f"u{n}": text("ann@example.test", f"X: {n}\r\n") for n in range(50)}, stuck=True)
    running = site.begin()
    running.cancel()
    result = result_of(running)
    assert not result.ok and "stopped" in result.words
    site.remote.stuck = False
    assert site.run().messages == 50
    assert len(site.mail("ann")) == 50


@implementer(IDatabase)
@define(eq=False)
class Failing:
    """A database of which units fail: some are not written, of some nobody hears."""

    inner: Any
    plan: list[str] = field(factory=list)

    async def write(self, unit: Any) -> Any:
        word = self.plan.pop(0) if self.plan else ""
        if word == "before":
            raise TemporaryFailure
        result = await self.inner.write(unit)
        if word == "after":
            raise TemporaryFailure
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize("word", ["before", "after"])
@pytest.mark.parametrize("at", range(4))
def test_a_database_that_fails_before_or_after_its_commit_loses_and_doubles_nothing(word: str, at: int) -> None:
    site = site_with({f"u{n}": text("ann@example.test", f"X: {n}\r\n") for n in range(4)})
    site.database = Failing(site.base.database, [*[""] * at, word])
    assert not site.run().ok
    for _ in range(2):
        site.run()
    assert len(site.mail("ann")) == 4
    assert site.remote.messages == {} and site.names() == []


def test_two_runs_at_once_double_nothing() -> None:
    site = site_with({f"u{n}": text("ann@example.test", f"X: {n}\r\n") for n in range(10)}, stuck=True)
    first, second = site.begin(), site.begin()
    site.remote.stuck = False
    site.remote.go_on()
    assert {result_of(first).messages, result_of(second).messages} == {10, 0}
    assert len(site.mail("ann")) == 10


def test_a_dry_run_says_for_each_message_whom_it_would_go_to_and_changes_nothing() -> None:
    site = site_with(
        {
            "a": text("list@far.test", "X-Original-To: bob@example.test\r\nReceived: by x; y\r\n"),
            "b": text("ann@example.test"),
            "c": text("news@far.test", "List-Id: <news.lists.test>\r\n"),
            "d": text("typo@example.test"),
            "e": text("far@far.test"),
        }
    )
    lines = site.test(rules="news.lists.test=ann@example.test bob@example.test")
    assert lines[:2] == ["connected to pop.b.test[192.0.2.1]:995 and signed in", "5 messages there"]
    assert lines[3].startswith("message 2, ") and '"for ann@example.test": ' in lines[3]
    assert [line.partition('": ')[2] for line in lines[2:]] == [
        "for bob@example.test, by X-Original-To (certain)",
        "for ann@example.test, by To (guess)",
        "for ann@example.test, bob@example.test, by rules (rule)",
        "unclaimed, by To (guess); not here: typo@example.test",
        "unclaimed: nothing names anybody of the domains",
    ]
    assert site.remote.retrieved == [] and len(site.remote.messages) == 5
    assert site.names() == [] and site.mail("ann") == []
    assert site.rows("SELECT 1 FROM account WHERE kind = 'public'") == []


@pytest.mark.parametrize("piece", [1, 7, 100_000])
@pytest.mark.parametrize("line", ["From eve@far.test Mon Jan  1 00:00:00 2024", ">From eve far"])
def test_a_line_of_a_file_of_messages_in_front_of_the_header_is_taken_off(line: str, piece: int) -> None:
    site = site_with({"a": f"{line}\r\n".encode() + ANN}, piece=piece)
    assert site.test()[-1].endswith("for ann@example.test, by To (guess)")
    site.run()
    assert site.mail("ann")[0].endswith(ANN) and line.encode() not in site.mail("ann")[0]


@pytest.mark.parametrize(
    "content", [b"From here\r\n", b"From here\r\non: no\r\n"[:-2], b"From a\r\nno field\r\n", b"From", b">F"]
)
def test_a_text_that_only_begins_like_such_a_line_comes_whole(content: bytes) -> None:
    for piece in (1, 100_000):
        site = site_with({"a": content}, piece=piece)
        site.run(recipient="ann@example.test")
        assert site.mail("ann")[0].endswith(b"\r\n\r\n" + content)


def test_a_dry_run_says_what_a_run_does_with_headers_that_are_none_or_too_large() -> None:
    site = site_with({"a": b"nothing\r\nTo: ann@example.test\r\n\r\n", "b": text(more=f"X: {'x' * 300_000}\r\n")})
    none, large = site.test()[-2:]
    assert none.endswith("unclaimed: nothing names anybody of the domains")
    assert large.endswith("stays there, its header is too large")
    assert "1 of them unclaimed" in site.run().words and list(site.remote.messages) == ["b"]


def test_what_cannot_be_connected_to_is_the_result() -> None:
    site = CollectingSite()
    site.remote = evolve(site.remote, lost_after=0)
    assert "The connection was lost" in site.run().words
    assert "The connection was lost" in site.test()[-1]


def test_a_mailbox_of_very_many_messages_is_looked_at_in_turns() -> None:
    site = site_with({f"u{n}": ANN for n in range(5000)})
    assert site.run(at_once="1").messages == 1
    assert len(site.base.memory.clock.slept) >= 10
