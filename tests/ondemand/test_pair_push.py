"""A site tells its relay whom it has, when that changed."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.trial import unittest

from worldmail.directory.own_recipients import own_recipients
from worldmail.interfaces.ondemand import Agent, AgentKind
from worldmail.interfaces.outbound import Fate, HopFailed, Phase, Trouble
from worldmail.interfaces.pairs import End, Joined, Known, Pair
from worldmail.mail.address import Address
from worldmail.ondemand.pair_entries import PAIRS, pair_entry, read_pair
from worldmail.ondemand.pair_push import DAILY, RecipientPush, coarse, digest_of
from worldmail.testing.accounts import AccountSite

AGENT = Agent(name="relay.test", kind=AgentKind.ODMR)
PAIR = Pair(name="relay.test", end=End.SITE, account="a@relay.test", domains=("here.test",), joined=1)


class One:
    """The pairs, the way and the conversations, as far as this needs them."""

    def __init__(self):
        self.pair = PAIR
        self.told = []
        self.domains = None
        self.host = ""
        self.error = None

    def relay(self, name):
        return self.pair if name == self.pair.name else None

    async def hop(self, agent):
        return agent.name

    async def facts(self, hop):
        domains = self.domains or self.pair.domains
        return Joined(
            account="a@relay.test", hold="here", domains=domains, submission=0, starttls=False, host=self.host
        )

    async def push(self, hop, lists):
        self.told.append(list(lists))
        if self.error is not None:
            raise self.error
        return "250 ok"


class PushTests(unittest.TestCase):
    async def setUp(self):
        self.site = AccountSite.make(reactor)
        self.addCleanup(self.site.passwords.stop)
        self.one = One()
        self.lists, self.domains = [Known("a", "here.test")], ["here.test"]
        self.push = RecipientPush(
            database=self.site.database,
            clock=self.site.clock,
            journal=self.site.journal,
            pairs=self.one,
            recipients=self.recipients,
            here=self.here,
            hop=self.one.hop,
            fetches=self.one,
            aside=self.aside,
        )

    async def recipients(self, domains):
        return [evolve(known, domain=domain) for known in self.lists for domain in domains]

    async def here(self):
        return self.domains

    async def aside(self, work):
        return work()

    async def test_it_is_told_when_it_changed_and_once_a_day(self):
        for _ in range(3):
            await self.push.tell(AGENT)
        assert self.one.told == [[Known("a", "here.test")]]
        self.lists = [Known("b", "here.test"), Known("a", "here.test")]
        await self.push.tell(AGENT)
        self.lists.reverse()
        await self.push.tell(AGENT)
        assert len(self.one.told) == 2
        self.site.clock.advance(DAILY)
        await self.push.tell(AGENT)
        assert len(self.one.told) == 3

    async def test_what_was_not_taken_is_told_again_and_fails_nobody(self):
        trouble = Trouble(
            fate=Fate.DEFERRED, status="4.0.0", phase=Phase.CONNECT, server="relay.test", reason="not there"
        )
        self.one.error = HopFailed(trouble)
        await self.push.tell(AGENT)
        [record] = self.site.journal.named("pair.not-told")
        assert record["reason"] == "not there"
        self.one.error = None
        await self.push.tell(AGENT)
        await self.push.tell(AGENT)
        assert len(self.one.told) == 2

    async def test_agents_of_no_pair_and_pairs_without_a_domain_tell_nothing(self):
        await self.push.tell(evolve(AGENT, name="other"))
        self.one.pair = evolve(PAIR, domains=())
        await self.push.tell(AGENT)
        assert not self.one.told

    async def test_what_the_relay_calls_itself_is_kept(self):
        await self.site.database.write(lambda cursor: PAIRS.add(cursor, pair_entry(PAIR, "code")))
        self.one.host = "mx7.relay.test"
        await self.push.tell(AGENT)
        entry = await self.site.database.read(lambda cursor: PAIRS.required(cursor, PAIR.name))
        assert read_pair(entry) == evolve(PAIR, called="mx7.relay.test")

    async def test_domains_that_the_relay_holds_since_are_told_of_too(self):
        await self.site.database.write(lambda cursor: PAIRS.add(cursor, pair_entry(PAIR, "code")))
        self.one.domains = ("here.test", "more.test")
        await self.push.tell(AGENT)
        assert self.one.told == [[Known("a", "here.test"), Known("a", "more.test")]]
        entry = await self.site.database.read(lambda cursor: PAIRS.find(cursor, PAIR.name))
        assert read_pair(entry) == evolve(PAIR, domains=self.one.domains) and entry.texts["code"] == "code"
        self.one.pair = evolve(PAIR, domains=self.one.domains)
        await self.push.tell(AGENT)
        assert len(self.one.told) == 1

    async def test_a_domain_that_came_here_is_asked_for_at_once(self):
        await self.site.database.write(lambda cursor: PAIRS.add(cursor, pair_entry(PAIR, "code")))
        await self.push.tell(AGENT)
        self.one.domains = ("here.test", "more.test")  # of which nobody told us
        await self.push.tell(AGENT)
        assert len(self.one.told) == 1
        self.domains.append("more.test")
        await self.push.tell(AGENT)
        assert self.one.told[1:] == [[Known("a", "here.test"), Known("a", "more.test")]]

    async def test_room_is_told_coarsely(self):
        rooms = [coarse(Known("a", "b", None, room)).room for room in (None, 0, 3, 5, 1023, 1024, 1535, 1536, 10**9)]
        assert rooms == [None, 0, 3, 4, 768, 1024, 1024, 1536, 805306368]
        digests = [digest_of([Known("a", "b", *bounds)], ["b"]) for bounds in ((), (1,), (None, 1))]
        assert len({*digests, digest_of([Known("a", "b")], ["b", "c"])}) == 4


class OwnTests(unittest.TestCase):
    async def setUp(self):
        self.site = AccountSite.make(reactor)
        self.addCleanup(self.site.passwords.stop)
        self.admin = self.site.admin
        await self.admin.add_domain("here.test")
        await self.admin.add_domain("other.test", alias_of="here.test")

    async def own(self, *domains):
        found = await self.site.database.scan(lambda cursor: own_recipients(cursor, domains))
        return sorted((own.known.local, own.known.domain, own.known.most, own.account is not None) for own in found)

    async def test_accounts_and_aliases_with_what_bounds_them(self):
        address = Address.parse
        for name in ("a", "off", "big"):
            await self.site.add(f"{name}@here.test")
        await self.admin.set_account(address("a@here.test"), {"max-message": "1KB"})
        await self.admin.set_account(address("off@here.test"), {"enabled": "off"})
        await self.admin.set_alias(address("one@here.test"), (address("a@here.test"),))
        await self.admin.set_alias(address("many@here.test"), (address("a@here.test"), address("big@here.test")))
        wanted = [
            ("a", 1000, True),
            ("big", None, True),
            ("many", None, False),
            ("one", 1000, True),
        ]
        assert await self.own("here.test") == [(n, "here.test", most, known) for n, most, known in wanted]
        assert await self.own("other.test") == [(n, "other.test", most, known) for n, most, known in wanted]

    async def test_a_catch_all_has_everybody_and_so_has_a_domain_that_is_handed_on(self):
        await self.site.add("a@here.test")
        await self.admin.set_alias(Address.parse("*@here.test"), (Address.parse("a@here.test"),))
        await self.admin.add_domain("relayed.test", "relay")
        assert await self.own("here.test", "relayed.test", "nowhere.test") == [
            ("*", "here.test", None, False),
            ("*", "relayed.test", None, False),
        ]
