"""Changing the routes."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from tests.queue.route_case import ISP, SECRET, RouteCase
from worldmail.auth.server_key import ServerKey
from worldmail.errors import AlreadyThere, BadValue, ConfigurationError, NoSuchThing
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.outbound import Login, Security
from worldmail.interfaces.queue import IRouteAdmin, Route, Via


class TestRouteAdmin(RouteCase):
    def test_it_provides_the_interface(self) -> None:
        assert verifyObject(IRouteAdmin, self.admin)

    async def test_a_route_is_kept_as_it_was_given(self) -> None:
        changes = {
            "domain": "Shop.example",
            "sender": ".inner.example",
            "via": "lmtp",
            "host": "[2001:DB8::1]",
            "port": "2424",
            "security": "encrypted",
            "implicit-tls": "on",
            "connections": "3",
            "rate": "60",
            "enabled": "off",
        }
        expected = Route(
            name="shop",
            domain="shop.example",
            sender=".inner.example",
            via=Via.LMTP,
            host="2001:db8::1",
            port=2424,
            security=Security.ENCRYPTED,
            implicit_tls=True,
            connections=3,
            rate=60,
            enabled=False,
        )
        assert await self.admin.add_route("Shop", changes) == expected
        assert await self.admin.routes() == [expected]
        assert (await self.current()).named("shop") == expected

    async def test_every_way_is_kept(self) -> None:
        await self.admin.add_route("q", {"domain": "q.example", "via": "hold", "queue": "later"})
        await self.admin.add_route("r", {"domain": "r.example", "via": "refuse", "text": "Not that one"})
        await self.admin.add_route("m", {"domain": "m.example", "via": "mx", "security": "verified"})
        found = {route.name: route for route in await self.admin.routes()}
        assert (found["q"].via, found["q"].queue) == (Via.HOLD, "later")
        assert (found["r"].via, found["r"].text) == (Via.REFUSE, "Not that one")
        assert (found["m"].via, found["m"].security) == (Via.MX, Security.VERIFIED)

    async def test_routes_are_listed_in_the_order_in_which_they_are_looked_through(self) -> None:
        for name, domain, sender in (
            ("all", "*", "*"),
            ("by", "*", "a@x.test"),
            ("far", ".example", "*"),
            ("near", ".inner.example", "*"),
            ("one", "inner.example", "x.test"),
            ("first", "inner.example", "a@x.test"),
        ):
            await self.admin.add_route(name, {"domain": domain, "sender": sender})
        assert await self.names() == ["first", "one", "near", "far", "by", "all"]

    async def test_a_name_is_taken_once(self) -> None:
        await self.admin.add_route("isp", {})
        assert "isp" in await self.refused(AlreadyThere, self.admin.add_route("ISP", {"domain": "x.example"}))

    async def test_two_enabled_routes_are_not_for_the_same_mail(self) -> None:
        await self.admin.add_route("one", {"domain": "x.example"})
        assert "one" in await self.refused(AlreadyThere, self.admin.add_route("two", {"domain": "X.example"}))
        await self.admin.add_route("two", {"domain": "x.example", "enabled": "off"})
        assert "one" in await self.refused(AlreadyThere, self.admin.set_route("two", {"enabled": "on"}))
        await self.admin.set_route("one", {"enabled": "off"})
        assert (await self.admin.set_route("two", {"enabled": "on"})).enabled
        await self.admin.add_route("three", {"domain": "x.example", "sender": "a@x.test"})

    async def test_a_route_is_changed_key_by_key(self) -> None:
        await self.admin.add_route("in", {"via": "host", "host": "a.example", "port": "26"})
        changed = await self.admin.set_route("IN", {"port": "", "rate": "9"})
        assert (changed.host, changed.port, changed.rate) == ("a.example", 25, 9)
        assert await self.admin.routes() == [changed]

    async def test_what_cannot_be_changes_nothing(self) -> None:
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        before = await self.admin.routes()
        await self.refused(BadValue, self.admin.set_route("in", {"port": "26", "host": ""}))
        await self.refused(BadValue, self.admin.set_route("in", {"port": "0"}))
        await self.refused(BadValue, self.admin.add_route("b", {"via": "host"}))
        await self.refused(BadValue, self.admin.add_route("-", {}))
        await self.refused(NoSuchThing, self.admin.set_route("no", {}))
        await self.refused(NoSuchThing, self.admin.remove_route("no"))
        assert await self.admin.routes() == before

    async def test_a_removed_route_is_gone(self) -> None:
        await self.admin.add_route("in", {})
        await self.admin.remove_route("IN")
        assert await self.names() == []

    async def test_each_change_is_told(self) -> None:
        told: list[int] = []
        self.database.changes.subscribe("route", lambda notice: told.append(notice.key))
        await self.admin.add_route("in", {})
        await self.admin.set_route("in", {"rate": "1"})
        await self.admin.remove_route("in")
        assert told == [0, 0, 0]


class TestPasswords(RouteCase):
    async def test_a_password_is_sealed_and_given_to_no_administrator(self) -> None:
        made = await self.admin.add_route("isp", ISP)
        assert made.login == Login(user="me", password="")
        assert [route.login for route in await self.admin.routes()] == [made.login]
        assert (made.port, made.security) == (587, Security.VERIFIED)
        assert SECRET.encode() not in await self.sealed("isp")
        found = (await self.current()).named("isp")
        assert found is not None and found.login == Login(user="me", password=SECRET)
        assert SECRET not in repr(found)

    async def test_a_password_stays_while_other_keys_change(self) -> None:
        await self.admin.add_route("isp", ISP)
        before = await self.sealed("isp")
        for changes in ({"port": "465", "implicit-tls": "on"}, {"via": "mx"}, {"via": "host", "user": "me"}):
            if "user" in changes:
                changes["password"] = SECRET
            await self.admin.set_route("isp", changes)
        found = (await self.current()).named("isp")
        assert found is not None and found.login == Login(user="me", password=SECRET) and found.port == 465
        assert await self.sealed("isp") != before

    async def test_a_password_goes_along_to_another_host(self) -> None:
        await self.admin.add_route("isp", ISP)
        await self.admin.set_route("isp", {"host": "smtp2.isp.example"})
        found = (await self.current()).named("isp")
        assert found is not None and found.login == Login(user="me", password=SECRET)

    async def test_a_row_that_was_made_to_lead_elsewhere_has_no_password(self) -> None:
        await self.admin.add_route("isp", ISP)
        await self.database.write(lambda cursor: cursor.run("UPDATE route SET host = 'eve.example'"))
        assert "isp" in await self.refused(ConfigurationError, self.current())
        assert "--password-stdin" in await self.refused(BadValue, self.admin.set_route("isp", {"host": "b.example"}))

    async def test_a_row_that_would_show_the_password_to_others_is_not_used(self) -> None:
        await self.admin.add_route("isp", ISP)
        unsafe = '{"security": "opportunistic"}'
        await self.database.write(lambda cursor: cursor.run("UPDATE route SET settings = ?", (unsafe,)))
        assert "verified" in await self.refused(BadValue, self.current())

    async def test_a_user_needs_a_password_and_a_password_a_user(self) -> None:
        await self.refused(BadValue, self.admin.add_route("isp", {**ISP, "password": ""}))
        await self.refused(BadValue, self.admin.add_route("isp", {**ISP, "user": ""}))
        await self.admin.add_route("isp", ISP)
        await self.refused(BadValue, self.admin.set_route("isp", {"user": "you"}))
        await self.refused(BadValue, self.admin.set_route("isp", {"password": ""}))
        await self.admin.set_route("isp", {"user": "me"})
        changed = await self.admin.set_route("isp", {"user": "you", "password": "other"})
        assert changed.login == Login(user="you", password="")

    async def test_without_its_user_a_password_is_forgotten(self) -> None:
        await self.admin.add_route("isp", ISP)
        changed = await self.admin.set_route("isp", {"user": ""})
        assert (changed.login, changed.security, changed.port) == (None, Security.OPPORTUNISTIC, 25)
        assert await self.sealed("isp") is None

    async def test_another_server_key_opens_nothing(self) -> None:
        await self.admin.add_route("isp", ISP)
        assert "isp" in await self.refused(ConfigurationError, self.current(ServerKey(b"x" * 32)))
        assert await self.names() == ["isp"]


class TestWithinAnotherUnit(RouteCase):
    async def test_a_route_can_be_added_with_other_things_or_not_at_all(self) -> None:
        def unit(cursor: Cursor) -> None:
            adding(cursor)
            raise BadValue("something else cannot be")

        adding = self.admin.adding("in", {"via": "host", "host": "a.example"})
        await self.refused(BadValue, self.database.write(unit))
        assert await self.names() == []
        assert (await self.database.write(adding)).name == "in"
        await self.refused(AlreadyThere, self.database.write(adding))
