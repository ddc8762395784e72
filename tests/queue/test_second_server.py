"""What one server of a domain does not take for now another may (RFC 5321 §5.1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import RecipientFate, Reply
from worldmail.testing.outbound import LATER, NEVER, UNKNOWN
from worldmail.testing.queue import QueueSite

ALICE = "alice@example.test"


def site_that_sends() -> QueueSite:
    site = QueueSite.make()
    site.start()
    return site


def test_what_one_server_puts_off_a_second_one_may_take() -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = ("mx1.there.test", "mx2.there.test")
    site.elsewhere.fates = {"mx1.there.test bob@there.test": [LATER]}
    id_ = site.accept(ALICE, "bob@there.test", "carol@there.test")
    assert [(carried.server, carried.recipients) for carried in site.elsewhere.begun] == [
        ("mx1.there.test", ("bob@there.test", "carol@there.test")),
        ("mx2.there.test", ("bob@there.test",)),
    ]
    assert site.events(id_) == ["accepted", "delivered", "delivered"] and site.queued() == []


def test_what_the_second_server_refuses_has_failed_and_without_a_second_it_waits() -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = ("mx1.there.test", "mx2.there.test")
    site.elsewhere.fates = {"mx1.there.test bob@there.test": [LATER], "mx2.there.test bob@there.test": [NEVER]}
    site.elsewhere.fates["carol@yonder.test"] = [LATER]
    site.accept(ALICE, "bob@there.test", "carol@yonder.test")
    assert site.queued() == [("carol@yonder.test", 0)] and len(site.mail()) == 1


class _Shuffled(list[str]):
    """Servers of one preference: the list begins with another one each time."""

    def __iter__(self) -> Iterator[str]:
        self.append(self.pop(0))
        return super().__iter__()


def test_the_second_of_two_equal_servers_may_take_what_the_first_puts_off_though_the_list_begins_with_it_now() -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = _Shuffled(("mx1.there.test", "mx2.there.test"))
    site.elsewhere.fates = {"mx2.there.test bob@there.test": [LATER]}
    site.accept(ALICE, "bob@there.test")
    assert [carried.server for carried in site.elsewhere.begun] == ["mx2.there.test", "mx1.there.test"]
    assert site.queued() == []


@pytest.mark.parametrize(
    "broken",
    [
        evolve(LATER, status="4.3.2", reply=Reply(code=421, enhanced="4.3.2", lines=("busy",))),
        evolve(LATER, status="4.4.2", reply=None, reason="The connection was lost: closed by peer"),
    ],
)
def test_a_server_that_breaks_off_in_the_midst_is_not_the_only_one(broken: RecipientFate) -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = ("mx1.there.test", "mx2.there.test")
    site.elsewhere.fates = {"mx1.there.test bob@there.test": [broken]}
    site.accept(ALICE, "bob@there.test")
    assert [carried.server for carried in site.elsewhere.begun] == ["mx1.there.test", "mx2.there.test"]
    assert site.queued() == []


def test_where_it_is_not_known_whether_a_server_has_the_message_no_second_one_gets_it_at_once() -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = ("mx1.there.test", "mx2.there.test")
    site.elsewhere.fates = {"mx1.there.test bob@there.test": [UNKNOWN]}
    site.accept(ALICE, "bob@there.test")
    assert [carried.server for carried in site.elsewhere.begun] == ["mx1.there.test"]
