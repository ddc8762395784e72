"""What else than ETRN releases a hold: a finger query, a login, the clock."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from zope.interface.verify import verifyObject

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.auth import LoginContext
from worldmail.interfaces.directory import Account
from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.queue import Standing
from worldmail.interfaces.releases import CannotRelease, NotAllowed
from worldmail.interfaces.triggers import ITriggers, Released
from worldmail.mail.address import Address
from worldmail.queue.releasing import OFTEN
from worldmail.queue.triggers import LOGIN_PAUSE
from worldmail.testing.outbound import LATER
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

WORD = "open.sesame-1234"
HOLD = Hold(
    name="shop",
    domains=("shop.test",),
    release=Release.HOST,
    host="inner.test",
    port=25,
    accounts=frozenset({"shop@example.test"}),
)
HELD = [("ann@shop.test", Standing.HELD.value)]


@pytest.fixture
def site() -> QueueSite:
    made = QueueSite.make()
    made.start()
    return made


def hold(site: QueueSite, *more: Hold, **keys: Any) -> str:
    site.routes.set(holds=(evolve(HOLD, **keys), *more))
    return site.accept("alice@example.test", "ann@shop.test")


def finger(site: QueueSite, word: str) -> list[Released]:
    return settle(site.node.queue.triggers.finger(word, "192.0.2.1", "s"))


def account(address: str) -> Account:
    return Account(
        id=7,
        address=Address.parse(address),
        name="",
        enabled=True,
        generation=1,
        quota=None,
        max_message=None,
        legacy_auth=False,
    )


def sign_in(site: QueueSite, address: str = "shop@example.test") -> None:
    context = LoginContext(service="pop3", session="s", client="192.0.2.9", secure=True, tls=True)
    site.node.queue.triggers.signed_in(account(address), context)


def releases(site: QueueSite) -> list[dict[str, Any]]:
    return [fields for event, fields in site.journal.records if event == "release"]


def test_the_word_that_a_hold_names_releases_it_and_the_trace_says_who_asked(site: QueueSite) -> None:
    id_ = hold(site, finger=WORD)
    assert verifyObject(ITriggers, site.node.queue.triggers)
    assert finger(site, WORD) == [Released(hold="shop", messages=1)]
    site.advance(2)
    assert site.events(id_) == ["accepted", "released", "delivered"]
    assert "released by a finger query from 192.0.2.1" in site.details(id_, "released")[0]
    assert finger(site, WORD) == [Released(hold="shop", messages=0)]


def test_a_word_that_no_hold_names_and_the_name_of_a_hold_release_nothing(site: QueueSite) -> None:
    hold(site, finger=WORD)
    for word in ("", "shop", WORD.upper(), WORD + "x", WORD[:-1]):
        with pytest.raises(NotAllowed):
            finger(site, word)
    assert site.queued() == HELD
    assert all("open" not in str(fields) for fields in releases(site))


def test_holds_with_the_same_word_go_together(site: QueueSite) -> None:
    hold(site, evolve(HOLD, name="cafe", domains=("cafe.test",), finger=WORD), finger=WORD)
    site.accept("alice@example.test", "ben@cafe.test")
    assert {(one.hold, one.messages) for one in finger(site, WORD)} == {("shop", 1), ("cafe", 1)}


def test_what_is_fetched_by_odmr_or_switched_off_is_released_by_nothing(site: QueueSite) -> None:
    for keys in ({"release": Release.ODMR}, {"enabled": False}):
        site.routes.set(holds=(evolve(HOLD, finger=WORD, wake="w@example.test", every=60.0, at_login=True, **keys),))
        table = site.routes.triggers
        assert (table.waking, table.fingered, table.at_login, table.timed) == ({}, {}, {}, ())


def test_a_flood_of_queries_releases_a_hold_so_often_and_no_more(site: QueueSite) -> None:
    hold(site, finger=WORD)
    for _ in range(OFTEN):
        finger(site, WORD)
    with pytest.raises(CannotRelease):
        finger(site, WORD)
    assert releases(site)[-1]["refused"] == "too often"
    site.advance(61)
    assert finger(site, WORD)


def test_a_login_of_one_of_its_accounts_releases_a_hold_once_a_minute(site: QueueSite) -> None:
    id_ = hold(site, at_login=True)
    sign_in(site, "ann@example.test")
    site.advance(2)
    assert site.queued() == HELD
    sign_in(site)
    site.advance(2)
    assert site.queued() == []
    assert "released when shop@example.test signed in from 192.0.2.9 (pop3)" in site.details(id_, "released")[0]
    site.accept("alice@example.test", "ann@shop.test")
    sign_in(site)
    site.advance(2)
    assert site.queued() == HELD
    site.advance(LOGIN_PAUSE)
    sign_in(site)
    site.advance(2)
    assert site.queued() == []


def test_a_login_releases_nothing_where_the_hold_does_not_say_so(site: QueueSite) -> None:
    hold(site)
    sign_in(site)
    site.advance(2)
    assert site.queued() == HELD
    assert releases(site) == []


def test_the_clock_releases_what_waits_each_time_and_what_is_not_taken_again_the_next(site: QueueSite) -> None:
    site.elsewhere.fates["ann@shop.test"] = [LATER]
    id_ = hold(site, every=900.0)
    site.advance(900 - site.clock.now() % 900 - 100)
    look(site)
    assert site.queued() == HELD
    site.advance(105)
    look(site)
    site.advance(2)
    assert site.events(id_) == ["accepted", "released", "deferred"]
    site.elsewhere.fates.clear()
    look(site)
    site.advance(2)
    assert site.queued() == HELD
    site.advance(900)
    look(site)
    site.advance(2)
    assert site.queued() == []
    assert "released by the clock" in site.details(id_, "released")[0]
    assert len(releases(site)) == 2


def test_a_release_by_the_clock_that_could_not_be_is_tried_at_the_next_look(site: QueueSite) -> None:
    hold(site, every=60.0)
    look(site)
    site.advance(60)
    triggers = site.node.queue.triggers
    working = triggers.releasing.database
    triggers.releasing.database = Broken()
    look(site)
    assert releases(site)[-1]["refused"] == "no database"
    triggers.releasing.database = working
    look(site)
    site.advance(2)
    assert site.queued() == []


class Broken:
    """A database that is not there."""

    async def read(self, unit: Any) -> Any:
        raise TemporaryFailure(reason="no database")


def look(site: QueueSite) -> None:
    settle(site.node.queue.triggers.look())
