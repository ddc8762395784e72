"""The directory over the database source: resolution, its bounds and its memory."""

from __future__ import annotations

from attrs import define, field
from twisted.internet import reactor
from twisted.trial import unittest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.directory.directory import MAXIMUM_DEPTH, MAXIMUM_DESTINATIONS, Directory
from worldmail.directory.source import DatabaseSource
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Notice
from worldmail.interfaces.directory import Elsewhere, IBatchSource, IDirectorySource, LocalAccount, NoSuchAddress
from worldmail.testing.accounts import AccountSite
from worldmail.testing.contracts.directory import DirectoryContract, DirectorySourceContract, address, ends
from worldmail.wire.ready import Ready


async def furnished(test: unittest.TestCase) -> AccountSite:
    site = AccountSite.make(reactor)
    test.addCleanup(site.passwords.stop)
    await site.admin.add_domain("example.test")
    await site.add("postmaster@example.test")
    await site.add("bob@example.test")
    await site.admin.set_alias(address("both@example.test"), (address("bob"), address("x@far.example")))
    return site


class TestDatabaseDirectory(DirectoryContract, DirectorySourceContract, unittest.TestCase):
    async def furnish(self):
        return (await furnished(self)).directory

    async def furnish_source(self):
        return DatabaseSource(database=(await furnished(self)).database)


class ResolutionTests(unittest.TestCase):
    async def setUp(self):
        self.site = await furnished(self)
        self.admin = self.site.admin

    async def leads(self, text):
        return ends(await self.site.directory.resolve(address(text)))

    async def alias(self, name, *targets):
        await self.admin.set_alias(address(name), tuple(map(address, targets)))

    async def test_another_name_of_a_domain_leads_to_the_same_mailboxes(self):
        await self.admin.add_domain("alias.test", alias_of="example.test")
        assert await self.leads("bob@alias.test") == ["bob@example.test"]
        assert await self.leads("bob+x@ALIAS.test") == ["bob@example.test"]
        assert await self.leads("both@alias.test") == ["bob@example.test", "elsewhere x@far.example"]
        assert str((await self.site.directory.account(address("bob@alias.test"))).address) == "bob@example.test"

    async def test_an_international_domain_is_found_in_both_its_forms(self):
        await self.admin.add_domain("bücher.example")
        await self.site.add("anna@bücher.example")
        for text in ("anna@bücher.example", "anna@xn--bcher-kva.example", "ANNA@BÜCHER.example"):
            assert await self.leads(text) == ["anna@xn--bcher-kva.example"]

    async def test_a_local_part_is_found_in_any_normal_form(self):
        await self.site.add("josé@example.test")
        assert await self.leads("jose\u0301@example.test") == ["josé@example.test"]
        assert await self.leads("JOSÉ@example.test") == ["josé@example.test"]

    async def test_aliases_of_aliases_are_followed_and_each_end_given_once(self):
        await self.alias("a@example.test", "b@example.test", "bob@example.test", "both@example.test")
        await self.alias("b@example.test", "bob@example.test", "X@far.example", "x@far.example")
        assert await self.leads("a@example.test") == ["bob@example.test", "elsewhere x@far.example"]

    async def test_a_loop_is_cut(self):
        await self.alias("a@example.test", "b@example.test", "bob@example.test")
        await self.alias("b@example.test", "a@example.test")
        assert await self.leads("a@example.test") == ["bob@example.test"]

    async def test_a_loop_with_no_way_out_leads_nowhere(self):
        await self.alias("a@example.test", "b@example.test")
        await self.alias("b@example.test", "a@example.test")
        assert await self.leads("a@example.test") == ["nowhere a@example.test"]

    async def test_what_lies_too_deep_is_cut(self):
        for depth in range(MAXIMUM_DEPTH + 2):
            await self.alias(f"a{depth}@example.test", f"a{depth + 1}@example.test")
        await self.alias(f"a{MAXIMUM_DEPTH + 1}@example.test", "bob@example.test")
        assert await self.leads("a2@example.test") == ["bob@example.test"]
        assert await self.leads("a1@example.test") == ["nowhere a1@example.test"]

    async def test_an_expansion_too_wide_is_refused_for_now(self):
        half = MAXIMUM_DESTINATIONS // 2 + 1
        await self.alias("all@example.test", "a@example.test", "b@example.test")
        await self.alias("a@example.test", *[f"a{i}@far.example" for i in range(half)])
        assert len(await self.leads("all@example.test")) == half + 1
        await self.alias("b@example.test", *[f"b{i}@far.example" for i in range(half)])
        with self.assertRaises(TemporaryFailure):
            await self.leads("all@example.test")

    async def test_an_alias_may_forward_and_keep(self):
        await self.alias("bob@example.test", "bob@example.test", "x@far.example")
        assert await self.leads("bob@example.test") == ["bob@example.test", "elsewhere x@far.example"]
        assert await self.leads("bob+tag@example.test") == ["bob@example.test", "elsewhere x@far.example"]

    async def test_an_alias_in_an_accounts_place_takes_its_mail(self):
        await self.alias("bob@example.test", "x@far.example")
        assert await self.leads("bob@example.test") == ["elsewhere x@far.example"]
        bob = await self.site.directory.account(address("bob@example.test"))
        assert await self.site.directory.owns(bob, address("bob@example.test"))
        assert await self.site.directory.owns(bob, address("bob+tag@example.test"))

    async def test_a_name_with_the_delimiter_in_it_comes_before_the_name_without_detail(self):
        await self.site.add("bob+old@example.test")
        await self.alias("bob+news@example.test", "x@far.example")
        assert await self.leads("bob+old@example.test") == ["bob+old@example.test"]
        assert await self.leads("bob+news@example.test") == ["elsewhere x@far.example"]
        assert await self.leads("bob+else@example.test") == ["bob@example.test"]
        assert await self.leads("both+tag@example.test") == ["bob@example.test", "elsewhere x@far.example"]

    async def test_subaddresses_can_be_off_or_have_another_delimiter(self):
        def directory(delimiters):
            source = DatabaseSource(database=self.site.database, delimiters=delimiters)
            return Directory((source,), self.site.database.memory.changes, delimiters=delimiters)

        off, dash = directory(""), directory("-")
        assert ends(await off.resolve(address("bob+x@example.test"))) == ["nowhere bob+x@example.test"]
        assert ends(await dash.resolve(address("bob-x@example.test"))) == ["bob@example.test"]
        assert ends(await dash.resolve(address("bob+x@example.test"))) == ["nowhere bob+x@example.test"]

    async def test_the_catch_all_comes_last(self):
        await self.alias("*@example.test", "x@far.example")
        assert await self.leads("any@example.test") == ["elsewhere x@far.example"]
        assert await self.leads("abuse@example.test") == ["elsewhere x@far.example"]
        for text in ("bob@example.test", "bob+tag@example.test", "postmaster@example.test"):
            assert "elsewhere x@far.example" not in await self.leads(text)

    async def test_every_local_domain_has_a_postmaster_and_an_abuse(self):
        await self.admin.add_domain("other.test")
        await self.admin.add_domain("alias.test", alias_of="other.test")
        for text in ("postmaster@other.test", "PostMaster+x@alias.test", "abuse@other.test", "abuse@example.test"):
            assert await self.leads(text) == ["postmaster@example.test"]
        await self.alias("postmaster@other.test", "bob@example.test")
        assert await self.leads("abuse@alias.test") == ["bob@example.test"]
        await self.alias("abuse@other.test", "x@far.example")
        assert await self.leads("abuse@other.test") == ["elsewhere x@far.example"]

    async def test_the_servers_own_name_has_a_postmaster_and_nobody_else_unless_it_is_a_domain_of_ours(self):
        source = DatabaseSource(database=self.site.database, host="mx.other.test")
        directory = Directory((source,), self.site.database.memory.changes)
        for text in ("postmaster@mx.other.test", "PostMaster@MX.Other.Test"):
            assert ends(await directory.resolve(address(text))) == ["postmaster@example.test"]
        assert ends(await directory.resolve(address("bob@mx.other.test"))) == ["elsewhere bob@mx.other.test"]
        assert ends(await directory.resolve(address("postmaster@other.test"))) == ["elsewhere postmaster@other.test"]
        await self.admin.add_domain("mx.other.test")
        assert ends(await directory.resolve(address("bob@mx.other.test"))) == ["nowhere bob@mx.other.test"]

    async def test_the_postmaster_is_that_of_the_first_domain_that_has_one(self):
        await self.admin.add_domain("other.test")
        await self.admin.remove_account(address("postmaster@example.test"))
        assert await self.leads("postmaster@example.test") == ["nowhere postmaster@example.test"]
        await self.alias("postmaster@other.test", "bob@example.test")
        assert await self.leads("postmaster") == ["bob@example.test"]
        assert await self.leads("postmaster@example.test") == ["bob@example.test"]

    async def test_a_disabled_account_is_named_as_such(self):
        await self.admin.set_account(address("bob@example.test"), {"enabled": "off"})
        assert await self.leads("bob@example.test") == ["disabled bob@example.test"]
        assert await self.leads("bob+x@example.test") == ["disabled bob+x@example.test"]
        assert "disabled bob@example.test" in await self.leads("both@example.test")
        account = await self.site.directory.account(address("bob@example.test"))
        assert account is not None and not account.enabled

    async def test_an_unqualified_name_is_an_account_of_the_first_domain_but_no_recipient(self):
        assert str((await self.site.directory.account(address("bob"))).address) == "bob@example.test"
        assert await self.leads("bob") == ["nowhere bob"]

    async def test_owning_follows_aliases_and_catch_alls(self):
        await self.alias("*@example.test", "bob@example.test")
        await self.alias("sales@example.test", "deep@example.test", "postmaster@example.test")
        await self.alias("deep@example.test", "bob@example.test")
        bob = await self.site.directory.account(address("bob@example.test"))
        for text in ("sales@example.test", "deep@example.test", "any@example.test"):
            assert await self.site.directory.owns(bob, address(text)), text
        assert not await self.site.directory.owns(bob, address("postmaster@example.test"))


class MemoryTests(unittest.TestCase):
    async def setUp(self):
        self.site = await furnished(self)
        self.directory, self.database = self.site.directory, self.site.database

    async def reads(self, text):
        before = self.database.reads
        await self.directory.resolve(address(text))
        await self.directory.account(address(text))
        return self.database.reads - before

    async def test_a_second_question_does_not_touch_the_database(self):
        for text in ("bob@example.test", "no@example.test", "x@far.example", "both@example.test"):
            assert await self.reads(text) > 0
            assert await self.reads(text) == 0
            assert isinstance(self.directory.resolve(address(text)), Ready)
            assert isinstance(self.directory.account(address(text)), Ready)

    async def test_the_targets_of_a_wide_alias_are_read_together_and_off_the_reactor(self):
        wide = [address(f"n{number}@example.test") for number in range(250)] + [address("bob@example.test")]
        await self.site.admin.set_alias(address("wide@example.test"), tuple(wide))
        scans = []
        self.patch(self.database, "scan", lambda unit: scans.append(unit) or self.database.memory.scan(unit))
        before = self.database.reads
        found = ends(await self.directory.resolve(address("wide@example.test")))
        assert self.database.reads - before == 1 and len(scans) == 3
        assert sorted(found) == sorted(["bob@example.test", *(f"nowhere {each}" for each in wide[:-1])])

    async def test_the_targets_of_a_narrow_alias_are_read_together_at_once(self):
        assert await self.reads("both@example.test") == 3  # the alias, its two targets, the account of that name

    async def test_every_change_is_seen_at_once(self):
        admin = self.site.admin

        async def forgotten(change):
            await self.reads("bob@example.test")
            assert await self.reads("bob@example.test") == 0
            await change
            assert await self.reads("bob@example.test") > 0

        bob = address("bob@example.test")
        await forgotten(admin.add_domain("new.test"))
        await forgotten(admin.remove_domain("new.test"))
        await forgotten(admin.set_alias(address("new@example.test"), (bob,)))
        await forgotten(admin.remove_alias(address("new@example.test")))
        await forgotten(self.site.add("eve@example.test"))
        await forgotten(admin.set_password(bob, "other"))
        await forgotten(admin.set_account(bob, {"quota": "1GB"}))
        await forgotten(admin.make_legacy_secret(bob))
        await forgotten(admin.remove_account(address("eve@example.test")))

    async def test_an_answer_that_was_under_way_during_a_change_is_not_kept(self):
        @implementer(IDirectorySource)
        class Changing:
            name = "changing"
            asked = 0

            async def resolve(inner, asked):
                inner.asked += 1
                self.directory._changed(Notice(1, "account", 1))
                return (NoSuchAddress(address=asked),)

            async def account(inner, asked):
                inner.asked += 1
                self.directory._changed(Notice(1, "account", 1))

            async def own_form(inner, asked):
                return None

        source = Changing()
        self.directory._sources = (source,)
        for ask in (self.directory.resolve, self.directory.account):
            source.asked = 0
            await ask(address("a@example.test"))
            await ask(address("a@example.test"))
            assert source.asked == 2

    async def test_the_memory_is_bounded(self):
        changes = self.database.memory.changes
        directory = Directory((DatabaseSource(database=self.database),), changes, capacity=10)
        for number in range(30):
            await directory.resolve(address(f"a{number}@example.test"))
            await directory.account(address(f"a{number}@example.test"))
        assert len(directory._resolutions) == len(directory._accounts) == 10

    async def test_no_memory_is_a_memory_too(self):
        directory = Directory((DatabaseSource(database=self.database),), self.database.memory.changes, capacity=0)
        for _ in range(2):
            assert ends(await directory.resolve(address("bob@example.test"))) == ["bob@example.test"]

    async def test_a_closed_directory_follows_no_feed(self):
        await self.reads("bob@example.test")
        self.directory.close()
        await self.site.admin.add_domain("new.test")
        assert await self.reads("bob@example.test") == 0

    async def test_a_failure_of_the_database_is_passed_on_and_not_kept(self):
        self.database.error = TemporaryFailure()
        for ask in (self.directory.resolve, self.directory.account):
            with self.assertRaises(TemporaryFailure):
                await ask(address("bob@example.test"))
        self.database.error = None
        assert ends(await self.directory.resolve(address("bob@example.test"))) == ["bob@example.test"]


@implementer(IDirectorySource)
@define(kw_only=True)
class Table:
    """A source that is a dict of addresses."""

    name = "table"
    domains: tuple[str, ...]
    leads: dict[str, tuple[str, ...]] = field(factory=dict)

    async def resolve(self, asked):
        if asked.domain_key not in self.domains:
            return None
        targets = self.leads.get(asked.key, ())
        return tuple(Elsewhere(address=address(each)) for each in targets) or (NoSuchAddress(address=asked),)

    async def account(self, asked):
        return None

    async def own_form(self, asked):
        return None


class SourcesTests(unittest.TestCase):
    async def test_the_source_that_is_asked_for_many_says_of_each_what_it_says_of_one(self):
        source = DatabaseSource(database=(await furnished(self)).database)
        assert verifyObject(IBatchSource, source)
        asked = [
            address(each) for each in ("both@example.test", "x@far.example", "bob@example.test", "no@example.test")
        ]
        assert await source.resolve_all(asked) == [await source.resolve(each) for each in asked]

    async def test_each_target_of_an_alias_is_answered_by_the_first_source_that_knows_it(self):
        site = await furnished(self)
        table = Table(domains=("example.test",), leads={"new@example.test": ("bob@example.test",)})
        names = ("new@example.test", "no@example.test", "postmaster@example.test", "x@far.example")
        await site.admin.set_alias(address("all@example.test"), tuple(map(address, names)))
        directory = Directory((DatabaseSource(database=site.database), table), site.database.memory.changes)
        assert sorted(ends(await directory.resolve(address("all@example.test")))) == [
            "bob@example.test",
            "elsewhere x@far.example",
            "nowhere no@example.test",
            "postmaster@example.test",
        ]

    async def test_addresses_that_would_name_one_account_have_one_form(self):
        site = await furnished(self)
        await site.admin.add_domain("other.test", alias_of="example.test")
        changes = site.database.memory.changes
        directory = Directory((Table(domains=()), DatabaseSource(database=site.database)), changes)
        for local in ("bob", "nobody"):
            for written in (local, f"{local.upper()}@Example.Test", f"{local}@other.test"):
                assert str(await directory.own_form(address(written))) == f"{local}@example.test"
        assert str(await directory.own_form(address("x@far.example"))) == "x@far.example"

    async def test_a_later_source_adds_to_the_domain_of_an_earlier_one(self):
        site = await furnished(self)
        table = Table(domains=("example.test",), leads={"new@example.test": ("bob@example.test",)})
        changes = site.database.memory.changes
        directory = Directory((DatabaseSource(database=site.database), table), changes)
        (end,) = (await directory.resolve(address("new@example.test"))).destinations
        assert isinstance(end, LocalAccount)
        assert ends(await directory.resolve(address("no@example.test"))) == ["nowhere no@example.test"]

    async def test_the_first_source_that_knows_an_address_answers(self):
        site = await furnished(self)
        table = Table(domains=("example.test", "far.example"), leads={"bob@example.test": ("x@far.example",)})
        changes = site.database.memory.changes
        directory = Directory((table, DatabaseSource(database=site.database)), changes)
        assert ends(await directory.resolve(address("bob@example.test"))) == ["nowhere x@far.example"]
        assert ends(await directory.resolve(address("postmaster@example.test"))) == ["postmaster@example.test"]
