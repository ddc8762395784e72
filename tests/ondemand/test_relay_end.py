"""What a relay does for its sites: invitations are redeemed once, and only by who has them."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial import unittest
from zope.interface.verify import verifyObject

from worldmail.app.held import held_domains
from worldmail.auth.credential_maker import CredentialMaker
from worldmail.directory.accounts import set_password
from worldmail.directory.recipient_admin import RecipientAdmin
from worldmail.errors import TooManyRequests
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.pairs import CannotJoin, End, IPairs, IRelayEnd, Joined, Known, Pair
from worldmail.mail.address import Address
from worldmail.ondemand.join_code import secret_name
from worldmail.ondemand.pair_entries import INVITES, PAIRS, Invitation, invite_entry, pair_entry, read_pair
from worldmail.ondemand.pairs import CurrentPairs
from worldmail.ondemand.relay_end import RelayEnd
from worldmail.ondemand.tries import MOST, Tries
from worldmail.queue.hold_admin import HoldAdmin
from worldmail.queue.routes import RouteTable
from worldmail.testing.accounts import AccountSite, context

ACCOUNT = Address.parse("shop.test@example.test")
SECRET, PASSWORD = b"0123456789abcdef", "a password that is long"
HOLD = Hold(name="shop", domains=("shop.test", ".shop.test", "b.test"), accounts=frozenset({ACCOUNT.key}))


class RelayCase(unittest.TestCase):
    """A relay with a hold and an account for shop.test."""

    async def setUp(self):
        self.site = AccountSite.make(reactor)
        self.addCleanup(self.site.passwords.stop)
        self.database, self.clock = self.site.database, self.site.clock
        await self.site.admin.add_domain("example.test")
        for name in ("shop.test", "b.test"):
            await self.site.admin.add_domain(name, "relay")
        self.account = await self.site.add(str(ACCOUNT), "nobody knows this")
        self.hold_admin = HoldAdmin(self.database, self.site.key.seal)
        await self.hold_admin.add_hold("shop", {"domains": ",".join(HOLD.domains), "accounts": ACCOUNT.key})
        self.holds = RouteTable.of((), [HOLD])
        self.pairs = CurrentPairs(self.database, self.database.memory.changes, self.holds, self.clock.sleep)
        await self.pairs.start()
        self.addCleanup(self.pairs.stop)
        self.end = RelayEnd(
            database=self.database,
            clock=self.clock,
            journal=self.site.journal,
            pairs=self.pairs,
            credentials=CredentialMaker(self.site.passwords, self.site.key),
            set_password=set_password,
            held=held_domains,
            recipients=RecipientAdmin(self.database, self.clock.sleep),
            submission=(465, False),
        )

    async def invite(self, secret=SECRET, seconds=3600):
        now = int(self.clock.now())
        invitation = Invitation(
            name=secret_name(secret),
            hold="shop",
            account=ACCOUNT.key,
            domains=("shop.test", "b.test"),
            made=now,
            expires=now + seconds,
        )
        await self.database.write(lambda cursor: INVITES.add(cursor, invite_entry(invitation)))

    def join(self, secret=SECRET, client="192.0.2.1", password=PASSWORD):
        return Deferred.fromCoroutine(self.end.join(secret, password, client, "s"))

    async def refused(self, secret=SECRET, client="192.0.2.1"):
        await self.assertFailure(self.join(secret, client), CannotJoin)


class JoinTests(RelayCase):
    async def test_an_invitation_is_redeemed_once(self):
        assert verifyObject(IRelayEnd, self.end) and verifyObject(IPairs, self.pairs)
        assert not self.end.inviting
        await self.invite()
        assert self.end.inviting and self.pairs.site(ACCOUNT.key) is None
        joined = await self.join()
        wanted = Joined(
            account=ACCOUNT.key, hold="shop", domains=("shop.test", "b.test"), submission=465, starttls=False
        )
        assert joined == wanted
        site = self.pairs.site(ACCOUNT.key)
        assert (site.end, site.name, site.domains) == (End.RELAY, "shop", ("shop.test", "b.test"))
        assert self.end.facts(site) == wanted and not self.end.inviting
        signed_in = await self.site.authentication.password(str(ACCOUNT), PASSWORD, context())
        assert signed_in.id == self.account.id
        await self.refused()
        [record] = self.site.journal.named("pair.refused")
        assert record["reason"] == "no such invitation, or it was used"

    async def test_of_two_who_use_it_at_the_same_moment_one_joins(self):
        await self.invite()
        both = [self.join(password=f"{PASSWORD} {n}") for n in range(2)]
        found = await gatherResults([each.addErrback(lambda failure: failure.type) for each in both])
        assert sorted(each is CannotJoin for each in found) == [False, True]

    async def test_one_that_is_over_is_as_one_that_never_was(self):
        await self.invite(seconds=60)
        self.clock.advance(61.0)
        assert not self.end.inviting
        await self.refused()
        await self.refused(b"another of 16...")
        assert self.pairs.pairs() == []

    async def test_who_tries_again_and_again_is_kept_waiting_and_then_sent_away(self):
        await self.invite()
        for number in range(MOST):
            await self.refused(bytes([number]) * 16)
        await self.assertFailure(self.join(), TooManyRequests)
        assert (await self.join(client="192.0.2.2")).hold == "shop"  # it was somebody else

    async def test_what_is_not_held_any_more_is_not_granted(self):
        await self.invite()
        await self.site.admin.remove_domain("b.test")
        assert (await self.join()).domains == ("shop.test",)
        [stored] = await self.database.read(lambda cursor: [read_pair(entry) for entry in PAIRS.all(cursor)])
        assert stored.domains == ("shop.test",)

    async def test_what_another_hold_has_now_is_not_granted(self):
        await self.invite()
        await self.hold_admin.set_hold("shop", {"domains": "shop.test"})
        await self.hold_admin.add_hold("other", {"domains": "b.test", "accounts": "eve@example.test"})
        assert (await self.join()).domains == ("shop.test",)

    async def test_an_invitation_of_which_nothing_is_held_waits_until_something_is(self):
        await self.invite()
        before = self.database.writes
        for change in ({"domains": "c.test"}, {"domains": ".test.example"}, {"enabled": "off"}):
            await self.hold_admin.set_hold("shop", {"domains": "shop.test", **change})
            refused = await self.assertFailure(self.join(), CannotJoin)
            assert str(refused) == "550 5.7.1 We hold mail for no domain of this invitation any more"
        assert self.database.writes == before + 3, "by the holds alone"
        assert self.site.journal.named("pair.refused")[-1]["reason"].startswith("no domain of the invitation for shop")
        await self.hold_admin.set_hold("shop", {"domains": "b.test", "enabled": "on"})
        assert (await self.join(client="192.0.2.2")).domains == ("b.test",)

    async def test_what_is_removed_while_the_password_is_computed_is_not_granted(self):
        await self.invite()
        made = self.end.credentials.from_password

        async def slowly(password):
            for name in ("shop.test", "b.test"):
                await self.site.admin.remove_domain(name)
            return await made(password)

        self.patch(CredentialMaker, "from_password", lambda maker, password: slowly(password))
        await self.refused()
        assert self.pairs.pairs() == [] and self.end.inviting

    async def test_what_lies_below_all_that_is_held_needs_no_domain_of_its_own(self):
        await self.hold_admin.set_hold("shop", {"domains": "shop.test,in.shop.test,.shop.test"})
        await self.site.admin.remove_domain("shop.test")
        assert await self.database.read(lambda cursor: held_domains(cursor, "shop")) == ("in.shop.test",)

    async def test_a_wrong_secret_costs_no_hash_and_no_write(self):
        await self.invite()
        before = self.database.writes
        await self.refused(b"x" * 16)
        assert self.database.writes == before

    async def test_a_site_that_joins_again_has_another_password(self):
        for number in range(2):
            await self.invite(bytes([number]) * 16)
            await self.join(bytes([number]) * 16, password=f"{PASSWORD} {number}")
        assert len(self.pairs.pairs()) == 1
        await self.site.authentication.password(str(ACCOUNT), f"{PASSWORD} 1", context())

    async def test_recipients_are_of_the_sites_own_domains(self):
        await self.invite()
        await self.join()
        site = self.pairs.site(ACCOUNT.key)
        assert await self.end.replace_recipients(site, [Known("a", "shop.test", 5)]) == 3  # and a postmaster in each


class PairTests(RelayCase):
    async def test_pairs_are_followed(self):
        pair = Pair(name="shop", end=End.RELAY, account=ACCOUNT.key, domains=(), joined=5)
        relay = Pair(
            name="up.test",
            end=End.SITE,
            account="a@up.test",
            domains=("here.test",),
            joined=6,
            host="up.test",
            pins=frozenset({"0" * 64}),
            port=366,
            submission=587,
            starttls=frozenset({366, 587}),
        )
        waiting = evolve(relay, name="wait.test", joined=0)
        for each in (pair, relay, waiting):
            await self.database.write(lambda cursor, each=each: PAIRS.add(cursor, pair_entry(each, "code")))
        assert self.pairs.pairs() == [evolve(pair, domains=("shop.test", "b.test")), relay]
        assert self.pairs.relay("up.test") == relay
        assert self.pairs.relay("wait.test") is None and self.pairs.relay("shop") is None
        assert self.pairs.site("a@up.test") is None
        await self.database.write(lambda cursor: PAIRS.remove(cursor, "up.test"))
        assert self.pairs.relay("up.test") is None


class TriesTests(unittest.TestCase):
    def test_tries_are_counted_by_network_and_forgotten(self):
        now = [0.0]
        tries = Tries(lambda: now[0])
        delays = [tries.failed("2001:db8::1") for _ in range(MOST)]
        assert delays == sorted(delays) and delays[0] < delays[-1] <= 8.0
        assert not tries.left("2001:db8::2") and tries.left("2001:db8:1::1") and tries.left("192.0.2.1")
        now[0] = 61.0
        assert tries.left("2001:db8::2")
        for number in range(11_000):
            tries.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        assert len(tries._failed) == 10_000
