"""An MX record that names an alias: out of the standard's scope (RFC 5321 §5.1, RFC 2181 §10.3), and followed."""

from __future__ import annotations

import ipaddress

from twisted.internet.defer import Deferred

from worldmail.interfaces.outbound import Fate, Hop, HopFailed
from worldmail.interfaces.queue import Route
from worldmail.interfaces.resolver import IResolver
from worldmail.queue.exchangers import Exchangers, Ourselves
from worldmail.testing.lookups import LooksUp

ZONE = {
    "d.test": {"MX": ["10 first.d.test.", "20 dangling.d.test.", "30 circle.d.test.", "40 own.d.test."]},
    "first.d.test": {"CNAME": ["second.d.test."]},
    "second.d.test": {"CNAME": ["mx.far.test."]},
    "mx.far.test": {"A": ["198.51.100.1"], "AAAA": ["2001:db8::1"]},
    "dangling.d.test": {"CNAME": ["nowhere.far.test."]},
    "own.d.test": {"CNAME": ["mail.our.test."]},
    "mail.our.test": {"A": ["192.0.2.9"]},
    "ours.test": {"MX": ["10 own.d.test.", "20 mx.far.test."]},
    "gone.test": {"MX": ["10 dangling.d.test."]},
    "circle.d.test": {"CNAME": ["round.d.test."]},
    "round.d.test": {"CNAME": ["circle.d.test."]},
    "circular.test": {"MX": ["10 circle.d.test."]},
}


class AliasedExchangers(LooksUp):
    async def hops(self, domain: str, *, follows: bool) -> tuple[list[Hop], tuple[Fate, str] | None]:
        """The hops, and how it ended. `follows`: the server gives alias and address in one answer."""
        server = self.serve(ZONE)
        server.follows = follows
        resolver: IResolver = self.resolver(server)
        ourselves = Ourselves(frozenset({"mail.our.test"}), (ipaddress.ip_network("192.0.2.9"),))
        made = Exchangers(resolver=resolver, shuffle=lambda _: None, helo="mail.our.test", ourselves=ourselves)
        found = []
        try:
            async for hop in made.hops(Route(name=""), domain):
                found.append(hop)  # noqa: PERF401
        except HopFailed as failed:
            return found, (failed.trouble.fate, failed.trouble.status)
        return found, None

    def test_it_is_followed_and_known_by_the_name_that_the_record_has(self) -> Deferred[None]:
        """Its certificate is looked at, and a login is kept, under that name: the alias is whoever's DNS it is in."""

        async def test() -> None:
            for follows in (True, False):
                hops, _ = await self.hops("d.test", follows=follows)
                self.assertEqual(
                    [(hop.host, hop.addresses) for hop in hops], [("first.d.test", ("2001:db8::1", "198.51.100.1"))]
                )

        return self.run_async(test())

    def test_one_that_leads_nowhere_is_passed_over(self) -> Deferred[None]:
        async def test() -> None:
            self.assertEqual(await self.hops("gone.test", follows=True), ([], (Fate.FAILED, "5.4.4")))

        return self.run_async(test())

    def test_one_that_leads_to_itself_is_looked_up_again_later(self) -> Deferred[None]:
        async def test() -> None:
            self.assertEqual(await self.hops("circular.test", follows=True), ([], (Fate.DEFERRED, "4.4.3")))

        return self.run_async(test())

    def test_one_that_leads_to_ourselves_is_known_by_its_address(self) -> Deferred[None]:
        async def test() -> None:
            self.assertEqual(await self.hops("ours.test", follows=True), ([], (Fate.FAILED, "5.4.6")))

        return self.run_async(test())
