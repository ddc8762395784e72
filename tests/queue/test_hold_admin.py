"""Holds: what can be set, what is refused, what is kept and how."""

from __future__ import annotations

import ipaddress
from typing import Any

from twisted.internet.defer import Deferred

from tests.queue.route_case import KEY, SECRET, RouteCase
from worldmail.auth.server_key import ServerKey
from worldmail.errors import AlreadyThere, BadValue, ConfigurationError, NoSuchThing
from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.outbound import Security
from worldmail.queue.hold_admin import HOLDS, HoldAdmin, read_hold
from worldmail.queue.trigger_keys import HIDDEN

SHOP = {"domains": "Shop.test, .shop.test", "accounts": "ANN@relay.test"}
INNER = {"domains": "inner.test", "release": "host", "host": "192.0.2.7", "user": "me", "password": SECRET}


class HoldTests(RouteCase):
    def setUp(self) -> None:
        super().setUp()
        self.holds = HoldAdmin(self.database, KEY.seal)

    def run_async(self, test: Any) -> Any:
        return Deferred.fromCoroutine(test())

    async def read(self, name: str, key: ServerKey = KEY) -> Hold:
        return await self.database.read(lambda cursor: read_hold(HOLDS.required(cursor, name), key.unseal))

    def test_what_was_given_counts_and_the_rest_follows(self) -> Any:
        async def test() -> None:
            made = await self.holds.add_hold("Shop", SHOP)
            assert (made.name, made.domains) == ("shop", ("shop.test", ".shop.test"))
            assert made.accounts == frozenset({"ann@relay.test"})
            assert (made.release, made.keep, made.tell) == (Release.ODMR, 30 * 86400, 0)
            set_ = await self.holds.set_hold(
                "shop",
                {"networks": "192.0.2.1,2001:db8::/32", "keep": "7d", "tell": "4h"},
            )
            assert set_.networks == (ipaddress.ip_network("192.0.2.1/32"), ipaddress.ip_network("2001:db8::/32"))
            assert (set_.keep, set_.tell) == (7 * 86400, 14400)
            assert await self.holds.holds() == [set_]

        return self.run_async(test)

    def test_a_password_is_sealed_and_read_for_the_same_host_alone(self) -> Any:
        async def test() -> None:
            made = await self.holds.add_hold("inner", INNER)
            assert made.login is not None
            assert (made.login.password, made.security, made.port) == ("", Security.VERIFIED, 587)
            row = await self.database.read(lambda cursor: cursor.one("SELECT texts, password FROM entry"))
            assert row is not None
            assert SECRET not in row[0]
            assert SECRET.encode() not in bytes(row[1])
            read = await self.read("inner")
            assert read.login is not None
            assert read.login.password == SECRET
            said = await self.refused(BadValue, self.holds.set_hold("inner", {"host": "evil.test"}))
            assert "needs a password for evil.test" in said
            await self.holds.set_hold("inner", {"keep": "1d"})
            assert (await self.read("inner")).login == read.login
            cleared = await self.holds.set_hold("inner", {"user": ""})
            assert cleared.login is None

        return self.run_async(test)

    def test_two_holds_cannot_have_one_domain_unless_one_is_off(self) -> Any:
        async def test() -> None:
            await self.holds.add_hold("shop", SHOP)
            said = await self.refused(AlreadyThere, self.holds.add_hold("other", {"domains": "a.test,shop.TEST"}))
            assert said == "mail for shop.test waits in the hold shop already"
            await self.holds.add_hold("other", {"domains": "shop.test", "enabled": "off"})
            await self.refused(AlreadyThere, self.holds.set_hold("other", {"enabled": "on"}))
            assert [hold.name for hold in await self.holds.holds()] == ["other", "shop"]

        return self.run_async(test)

    def test_what_is_wrong_is_told_and_nothing_is_changed(self) -> Any:
        async def test() -> None:
            for changes, said in (
                ({}, "a hold needs domains"),
                ({"domains": "*"}, "domains takes domains"),
                ({"domains": "[192.0.2.1]"}, "domains takes domains"),
                ({"domains": "a.test", "release": "host"}, "release=host needs a host"),
                ({"domains": "a.test", "host": "x.test"}, "host says nothing with release=odmr"),
                ({"domains": "a.test", "accounts": "ann"}, "accounts takes addresses"),
                ({"domains": "a.test", "networks": "10.0.0.300"}, "networks takes networks"),
                ({"domains": "a.test", "keep": "5s"}, "keep takes a time"),
                (
                    {"domains": "a.test", "release": "host", "host": "x.test", "password": SECRET},
                    "a password needs a user",
                ),
                ({**INNER, "security": "never"}, "a password goes to none but a verified server"),
                ({**INNER, "password": ""}, "needs a password"),
            ):
                assert said in await self.refused(BadValue, self.holds.add_hold("hold", changes))
            assert "cannot name a hold" in await self.refused(BadValue, self.holds.add_hold("a b", SHOP))
            await self.holds.add_hold("shop", SHOP)
            assert "there already" in await self.refused(
                AlreadyThere, self.holds.add_hold("SHOP", {"domains": "b.test"})
            )
            await self.refused(NoSuchThing, self.holds.set_hold("none", SHOP))
            await self.refused(NoSuchThing, self.holds.remove_hold("none"))
            await self.holds.remove_hold("shop")
            assert await self.holds.holds() == []

        return self.run_async(test)

    def test_secrets_of_triggers_are_sealed_and_read_for_their_hold_and_key_alone(self) -> Any:
        async def test() -> None:
            words = {"domains": "a.test", "release": "mx", "wake": "Wake@relay.test"}
            secrets = {"finger": "open.sesame-1234", "wake-secret": "other.sesame-99"}
            made = await self.holds.add_hold("a", words | secrets)
            assert (made.wake, made.finger, made.wake_secret) == ("wake@relay.test", HIDDEN, HIDDEN)
            row = await self.database.read(lambda cursor: cursor.one("SELECT texts FROM entry"))
            assert row is not None
            assert "sesame" not in row[0]
            await self.holds.set_hold("a", {"tell": "1d"})
            read = await self.read("a")
            assert (read.finger, read.wake_secret) == (secrets["finger"], secrets["wake-secret"])
            with self.assertRaises(ConfigurationError):
                await self.read("a", ServerKey(b"x" * 32))
            await self.holds.set_hold("a", {"finger": ""})
            assert (await self.read("a")).finger == ""

        return self.run_async(test)

    def test_what_releases_a_hold_is_refused_where_it_could_not(self) -> Any:
        async def test() -> None:
            sent = {"domains": "a.test", "release": "mx"}
            for changes, said in (
                ({"domains": "a.test", "finger": "word"}, "finger says nothing with release=odmr"),
                ({"domains": "a.test", "every": "15m"}, "every says nothing with release=odmr"),
                (sent | {"wake": "w@relay.test"}, "wake needs who may"),
                (sent | {"wake": "nobody"}, "wake takes an address"),
                (sent | {"wake-secret": "short"}, "wake-secret takes 12 to 128"),
                (sent | {"finger": "two words"}, "finger takes 1 to 128"),
                (sent | {"finger": "user@host"}, "finger takes 1 to 128"),
                (sent | {"every": "5s"}, "every takes a time"),
                (sent | {"at-login": "on"}, "at-login needs whose"),
            ):
                assert said in await self.refused(BadValue, self.holds.add_hold("a", changes))

        return self.run_async(test)
