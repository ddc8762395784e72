"""What is found for a name, and how often a server is asked for it."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from worldmail.interfaces.resolver import IResolver, MailExchanger, NameTrouble, NoSuchName
from worldmail.testing.lookups import LooksUp
from worldmail.testing.names import Mood

MX1 = MailExchanger(preference=10, host="mx1.a.test")
MX2 = MailExchanger(preference=20, host="mx2.a.test")


class Found(LooksUp):
    def test_it_is_a_resolver(self) -> None:
        verifyObject(IResolver, self.resolver("127.0.0.1"))

    def test_the_exchangers_of_a_domain_however_it_is_written(self) -> Deferred[None]:
        async def test() -> None:
            resolver = self.resolver(self.serve())
            for domain in ("a.test", "A.Test", "a.test."):
                self.assertEqual(set(await resolver.exchangers(domain)), {MX1, MX2})

        return self.run_async(test())

    def test_a_null_MX_is_given_as_it_is(self) -> Deferred[None]:
        async def test() -> None:
            found = await self.resolver(self.serve()).exchangers("null.test")
            self.assertEqual(found, (MailExchanger(preference=0, host=""),))

        return self.run_async(test())

    def test_a_name_without_such_records_has_none_and_a_name_that_is_not_there_is_no_such_name(self) -> Deferred[None]:
        async def test() -> None:
            resolver = self.resolver(self.serve())
            self.assertEqual(await resolver.exchangers("mx1.a.test"), ())
            self.assertEqual(await resolver.addresses("a.test"), ())
            self.assertEqual(await resolver.texts("mx1.a.test"), ())
            await self.fails(NoSuchName, resolver.exchangers("nowhere.test"))
            await self.fails(NoSuchName, resolver.addresses("nowhere.test"))
            await self.fails(NoSuchName, resolver.texts("nowhere.test"))

        return self.run_async(test())

    def test_the_strings_of_a_text_are_joined(self) -> Deferred[None]:
        async def test() -> None:
            found = await self.resolver(self.serve()).texts("a.test")
            self.assertEqual(set(found), {"v=spf1 -all", "x"})

        return self.run_async(test())

    def test_IPv6_addresses_come_first(self) -> Deferred[None]:
        async def test() -> None:
            found = await self.resolver(self.serve()).addresses("mx1.a.test")
            self.assertEqual(found[0], "2001:db8::1")
            self.assertEqual(set(found[1:]), {"192.0.2.1", "192.0.2.2"})

        return self.run_async(test())

    def test_aliases_are_followed(self) -> Deferred[None]:
        async def test() -> None:
            resolver = self.resolver(self.serve())
            self.assertEqual(set(await resolver.exchangers("alias.test")), {MX1, MX2})
            self.assertEqual(len(await resolver.addresses("host-alias.test")), 3)
            self.assertEqual(await resolver.exchangers("host-alias.test"), ())
            await self.fails(NoSuchName, resolver.exchangers("dangling.test"))

        return self.run_async(test())

    def test_aliases_are_followed_across_answers(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.follows = False
            resolver = self.resolver(server)
            self.assertEqual(set(await resolver.exchangers("alias.test")), {MX1, MX2})
            self.assertEqual(len(await resolver.addresses("host-alias.test")), 3)
            await self.fails(NoSuchName, resolver.exchangers("dangling.test"))
            self.assertEqual(server.asked["second-alias.test", "A"], 1)

        return self.run_async(test())

    def test_aliases_in_a_loop_are_trouble_in_one_answer_and_across_answers(self) -> Deferred[None]:
        async def test() -> None:
            for follows in (True, False):
                server = self.serve()
                server.follows = follows
                fault = await self.fails(NameTrouble, self.resolver(server).exchangers("loop1.test"))
                self.assertIn("aliases without end", fault)
                self.assertLessEqual(server.asked.total(), 2)

        return self.run_async(test())

    def test_aliases_without_end_are_trouble(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve({f"n{number}.test": {"CNAME": [f"n{number + 1}.test"]} for number in range(100)})
            server.follows = False
            await self.fails(NameTrouble, self.resolver(server).addresses("n0.test"))
            self.assertLess(server.asked.total(), 40)

        return self.run_async(test())

    def test_an_alias_of_what_nobody_can_ask_for_is_trouble(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve({"odd.test": {"CNAME": ["a\\032b.test"]}})
            server.follows = False
            await self.fails(NameTrouble, self.resolver(server).exchangers("odd.test"))

        return self.run_async(test())

    def test_letters_of_random_case_are_answered(self) -> Deferred[None]:
        async def test() -> None:
            resolver = self.resolver(self.serve(), mixed_case=True)
            self.assertEqual(set(await resolver.exchangers("alias.test")), {MX1, MX2})

        return self.run_async(test())


class Unasked(LooksUp):
    def test_what_is_known_without_asking(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            resolver = self.resolver(server)
            for text, address in {
                "192.0.2.9": "192.0.2.9",
                "2001:DB8:0::9": "2001:db8::9",
                "[192.0.2.9]": "192.0.2.9",
                "[IPv6:2001:db8::9]": "2001:db8::9",
            }.items():
                self.assertEqual(await resolver.addresses(text), (address,))
            for name in ("localhost", "LOCALHOST.", "a.localhost"):
                self.assertEqual(await resolver.addresses(name), ("::1", "127.0.0.1"))
                self.assertEqual(await resolver.exchangers(name), ())
            self.assertEqual(server.asked.total(), 0)

        return self.run_async(test())

    def test_what_cannot_be_a_name_is_no_such_name(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            resolver = self.resolver(server)
            names = [
                "",
                ".",
                "a..b",
                ".a",
                "a b",
                "bü.test",
                "[1.2.3.4",
                "a\n",
                "a" * 64 + ".test",
                "a." * 127 + "test",
            ]
            for name in [*names, "x.invalid", "x.onion"]:
                await self.fails(NoSuchName, resolver.exchangers(name))
                await self.fails(NoSuchName, resolver.addresses(name))
            self.assertEqual(server.asked.total(), 0)

        return self.run_async(test())

    def test_an_alias_of_localhost_leads_nowhere(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve({"sly.test": {"CNAME": ["localhost"]}})
            server.follows = False
            self.assertEqual(await self.resolver(server).addresses("sly.test"), ())

        return self.run_async(test())

    def test_the_hosts_file_comes_before_the_DNS_and_is_read_again(self) -> Deferred[None]:
        async def test() -> None:
            hosts = Path(self.mktemp())
            hosts.write_text("10.0.0.1 mx1.a.test mail # main\n")
            resolver = self.resolver(self.serve(), hosts=hosts)
            self.assertEqual(await resolver.addresses("MX1.a.test"), ("10.0.0.1",))
            self.assertEqual(await resolver.addresses("mail"), ("10.0.0.1",))
            hosts.write_text("fd00::1 mail\n10.0.0.2 mail\n")
            self.time.ahead = 10
            self.assertEqual(await resolver.addresses("mail"), ("fd00::1", "10.0.0.2"))
            self.assertEqual(len(await resolver.addresses("mx1.a.test")), 3)

        return self.run_async(test())


class Kept(LooksUp):
    def test_an_answer_is_kept_as_long_as_its_TTL_says(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve(ttl=100)
            resolver = self.resolver(server)
            for ahead, asked in ((0, 1), (90, 1), (101, 2)):
                self.time.ahead = ahead
                await resolver.exchangers("a.test")
                self.assertEqual(server.asked["a.test", "MX"], asked)

        return self.run_async(test())

    def test_a_TTL_of_nothing_is_some_seconds_and_one_of_years_is_a_day(self) -> Deferred[None]:
        async def test() -> None:
            for ttl, holds, ends in ((0, 3, 6), (10**8, 86_000, 87_000)):
                self.time.ahead = 0
                server = self.serve(ttl=ttl)
                resolver = self.resolver(server)
                for ahead, asked in ((0, 1), (holds, 1), (ends, 2)):
                    self.time.ahead = ahead
                    await resolver.texts("a.test")
                    self.assertEqual(server.asked["a.test", "TXT"], asked)

        return self.run_async(test())

    def test_what_is_not_there_is_kept_as_long_as_the_SOA_record_says(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve(ttl=1000)
            resolver = self.resolver(server)
            for ahead, asked in ((0, 1), (55, 1), (70, 2)):  # its minimum is 60
                self.time.ahead = ahead
                await self.fails(NoSuchName, resolver.exchangers("no.a.test"))
                self.assertEqual(await resolver.exchangers("mx1.a.test"), ())
                self.assertEqual(server.asked["no.a.test", "MX"], asked)
                self.assertEqual(server.asked["mx1.a.test", "MX"], asked)

        return self.run_async(test())

    def test_trouble_is_kept_for_some_seconds(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            resolver = self.resolver(server)
            server.mood = Mood.SERVFAIL
            await self.fails(NameTrouble, resolver.exchangers("a.test"))
            server.mood = Mood.HONEST
            await self.fails(NameTrouble, resolver.exchangers("a.test"))
            self.time.ahead = 6
            self.assertEqual(len(await resolver.exchangers("a.test")), 2)

        return self.run_async(test())

    def test_who_asks_what_others_ask_waits_for_their_answer(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.mood, server.delay = Mood.SLOW, 0.2
            resolver = self.resolver(server)
            asking = [Deferred.fromCoroutine(resolver.exchangers("a.test")) for _ in range(50)]
            asking[0].addErrback(lambda _: None)
            asking[0].cancel()
            for one in asking[1:]:
                self.assertEqual(len(await one), 2)
            self.assertEqual(server.asked["a.test", "MX"], 1)

        return self.run_async(test())

    def test_both_kinds_of_addresses_are_asked_for_at_the_same_time(self) -> Deferred[None]:
        async def test() -> None:
            server = self.serve()
            server.mood, server.delay = Mood.SLOW, 30
            asking = Deferred.fromCoroutine(self.resolver(server, limit=1).addresses("mx1.a.test"))
            while set(server.asked) != {("mx1.a.test", "A"), ("mx1.a.test", "AAAA")}:
                await self.passing(0.01)
            asking.addErrback(lambda failure: failure.trap(NameTrouble))
            await asking

        return self.run_async(test())
