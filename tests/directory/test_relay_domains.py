"""Relay domains: who there is, and how their lists are changed."""

from __future__ import annotations

from twisted.internet import reactor
from zope.interface.verify import verifyObject

from tests.directory.conftest import BOB, AdminCase, address
from worldmail.directory import recipient_admin, recipients
from worldmail.directory.directory import Directory
from worldmail.directory.recipient_admin import RecipientAdmin
from worldmail.directory.source import DatabaseSource
from worldmail.errors import BadValue, NoSuchThing, TemporaryFailure
from worldmail.interfaces.directory import Elsewhere
from worldmail.interfaces.queue import IRecipientAdmin, Loaded
from worldmail.testing.accounts import AccountSite
from worldmail.testing.contracts.directory import ends
from worldmail.testing.recipients import MemoryRecipients


class RelayCase(AdminCase):
    """The relay domain relay.test, with another name alias.test, beside the local example.test."""

    async def setUp(self):
        await super().setUp()
        await self.admin.add_domain("relay.test", "relay")
        await self.admin.add_domain("alias.test", alias_of="relay.test")
        await self.admin.add_domain("other.test", "relay")
        self.source = MemoryRecipients()
        self.database = self.site.database
        self.directory = self.make_directory(self.source)
        self.slept = []
        self.recipients = RecipientAdmin(self.database, self.sleep)
        self.noticed()

    def make_directory(self, *sources, delimiters="+"):
        database = DatabaseSource(database=self.database, delimiters=delimiters)
        return Directory((database,), self.database.memory.changes, recipients=sources, delimiters=delimiters)

    async def sleep(self, seconds):
        self.slept.append(seconds)

    async def add(self, *names):
        return await self.recipients.add([address(name) for name in names])

    async def load(self, *names, replace=False, domain="relay.test"):
        return await self.recipients.load(domain, names, replace, lambda done, count: None)

    async def listed(self, domain="relay.test"):
        return [each.local for each in await self.recipients.recipients(domain)]

    async def leads(self, text, directory=None):
        """Where it leads; all that leads on is marked as of a relay domain."""
        resolution = await (directory or self.directory).resolve(address(text))
        for end in resolution.destinations:
            assert not isinstance(end, Elsewhere) or end.relayed == (end.address.domain != "far.example")
        (found,) = ends(resolution)
        return found

    async def taken(self, *names, directory=None):
        """Which of these lead on to themselves; the others must lead nowhere."""
        found = []
        for name in names:
            led = await self.leads(name, directory)
            assert led in (f"elsewhere {name}", f"nowhere {name}"), led
            if led.startswith("elsewhere"):
                found.append(name)
        return found


class ResolutionTests(RelayCase):
    async def test_a_domain_without_a_list_takes_everybody(self):
        names = ["bob@relay.test", "no+body@alias.test", '"any thing"@relay.test', "josé@other.test"]
        assert await self.taken(*names) == names

    async def test_a_domain_with_a_list_takes_those_in_it_in_every_spelling(self):
        await self.add("Bob@relay.test", "josé@alias.test", "news+daily@relay.test")
        yes = [
            "BOB@relay.test",
            "bob+tag@RELAY.test",
            '"bob"@alias.test',
            "jose\u0301@relay.test",
            "news+daily@alias.test",
        ]
        no = ["eve@relay.test", "bo@relay.test", "news@relay.test", "news+weekly@relay.test", "*@relay.test"]
        assert [await self.leads(name) for name in yes] == [f"elsewhere {address(name)}" for name in yes]
        assert await self.taken(*no) == []
        assert await self.taken("eve@other.test") == ["eve@other.test"], "each domain has a list of its own"

    async def test_subaddresses_can_be_off_or_have_another_delimiter(self):
        await self.add("bob@relay.test")
        off, dash = self.make_directory(delimiters=""), self.make_directory(delimiters="-")
        assert await self.taken("bob+x@relay.test", "bob@relay.test", directory=off) == ["bob@relay.test"]
        assert await self.taken("bob+x@relay.test", "bob-x@relay.test", directory=dash) == ["bob-x@relay.test"]

    async def test_postmaster_always_leads_on_and_abuse_to_the_postmaster_if_there_is_none(self):
        await self.add("bob@relay.test")
        names = ["postmaster@relay.test", "PostMaster@alias.test", "postmaster+x@relay.test"]
        assert [await self.leads(name) for name in names] == [f"elsewhere {name}" for name in names]
        assert await self.leads("Abuse@relay.test") == "elsewhere postmaster@relay.test"
        assert await self.leads("abuse@alias.test") == "elsewhere postmaster@alias.test"
        assert await self.leads("abuse@other.test") == "elsewhere abuse@other.test"
        await self.add("abuse@relay.test")
        assert await self.leads("abuse@relay.test") == "elsewhere abuse@relay.test"

    async def test_aliases_of_ours_lead_to_those_who_are_there(self):
        await self.add("bob@relay.test")
        targets = ("bob@relay.test", "eve@relay.test", "x@far.example")
        await self.admin.set_alias(address("all@example.test"), tuple(map(address, targets)))
        assert sorted(ends(await self.directory.resolve(address("all@example.test")))) == [
            "elsewhere bob@relay.test",
            "elsewhere x@far.example",
            "nowhere eve@relay.test",
        ]

    async def test_nobody_has_an_account_there(self):
        account = await self.site.add("bob@example.test")
        await self.add("bob@relay.test")
        assert await self.directory.account(address("bob@relay.test")) is None
        assert not await self.directory.owns(account, address("bob@relay.test"))
        assert str(await self.directory.own_form(address("Bob@alias.test"))) == "bob@relay.test"

    async def test_a_second_question_does_not_touch_the_database_and_every_change_is_seen_at_once(self):
        await self.add("bob@relay.test")
        assert await self.taken("eve@relay.test") == []
        before = self.database.reads
        assert await self.taken("eve@relay.test") == [] and self.database.reads == before
        await self.add("eve@relay.test")
        assert await self.taken("eve@relay.test") == ["eve@relay.test"]
        await self.recipients.remove([address("eve@relay.test")])
        assert await self.taken("eve@relay.test") == []
        await self.recipients.clear("relay.test")
        assert await self.taken("eve@relay.test") == ["eve@relay.test"]
        await self.load("bob")
        assert await self.taken("eve@relay.test") == []

    async def test_a_domain_that_is_removed_is_relayed_for_no_more(self):
        await self.directory.resolve(address("eve@other.test"))
        await self.admin.remove_domain("other.test")
        (end,) = (await self.directory.resolve(address("eve@other.test"))).destinations
        assert isinstance(end, Elsewhere) and not end.relayed

    async def test_an_address_that_grows_when_it_is_folded_is_looked_up_all_the_same(self):
        await self.add("bob@relay.test")
        name = f"{'ŉ' * 32}@alias.test"
        assert await self.taken(name) == []


class SourcesTests(RelayCase):
    async def test_a_source_is_asked_by_the_domains_own_name_with_and_without_detail(self):
        self.source.lists["relay.test"] = {"bob@relay.test"}
        assert await self.taken("Bob+Tag@alias.test") == ["Bob+Tag@alias.test"]
        assert self.source.asked == ["bob+tag@relay.test", "bob@relay.test"]

    async def test_a_source_that_knows_the_domain_decides_and_is_asked_each_time(self):
        self.source.lists["relay.test"] = {"bob@relay.test"}
        assert await self.taken("bob@relay.test", "eve@relay.test", "eve@other.test") == [
            "bob@relay.test",
            "eve@other.test",
        ]
        self.source.lists["relay.test"] = {"eve@relay.test"}
        assert await self.taken("bob@relay.test", "eve@relay.test") == ["eve@relay.test"]

    async def test_whom_the_list_or_any_source_knows_is_taken(self):
        other = MemoryRecipients(lists={"relay.test": {"c@relay.test"}})
        self.source.lists["relay.test"] = {"b@relay.test"}
        await self.add("a@relay.test")
        directory = self.make_directory(self.source, other)
        names = [f"{local}@relay.test" for local in "abcd"]
        assert await self.taken(*names, directory=directory) == names[:3]

    async def test_a_source_in_trouble_refuses_for_the_time_being_whom_nobody_else_knows(self):
        await self.add("bob@relay.test", "x@other.test")
        self.source.lists = {"relay.test": set()}
        self.source.error = TemporaryFailure(reason="away")
        assert await self.taken("bob@relay.test", "eve@other.test") == ["bob@relay.test"]
        assert await self.leads("postmaster@relay.test") == "elsewhere postmaster@relay.test"
        for name in ("eve@relay.test", "abuse@relay.test"):
            await self.refused(TemporaryFailure, self.directory.resolve(address(name)))
        other = MemoryRecipients(lists={"relay.test": {"eve@relay.test"}})
        assert await self.taken("eve@relay.test", directory=self.make_directory(self.source, other))
        self.source.error = None
        assert await self.taken("eve@relay.test") == []

    async def test_sources_are_asked_about_relay_domains_alone(self):
        await self.site.add("bob@example.test")
        for name in ("bob@example.test", "no@example.test", "x@far.example"):
            await self.directory.resolve(address(name))
        assert self.source.asked == []

    async def test_a_configuration_that_is_read_again_is_told_to_every_source(self):
        self.directory.reload("new")
        assert self.source.reloads == ["new"]


class ListTests(RelayCase):
    async def test_it_provides_the_interface(self):
        assert verifyObject(IRecipientAdmin, self.recipients)

    async def test_recipients_come_and_go(self):
        assert await self.add("Bob@relay.test", "bob@alias.test", "Eve@relay.test") == ["relay.test"]
        assert await self.add("bob@relay.test", "x@other.test") == ["other.test"]
        assert await self.listed() == await self.listed("Alias.test") == ["bob", "eve"]
        assert await self.recipients.counts() == {"other.test": 1, "relay.test": 2}
        assert {topic for topic, _ in self.noticed()} == {"address"}
        await self.recipients.remove([address("BOB@alias.test")])
        assert await self.listed() == ["eve"] and {topic for topic, _ in self.noticed()} == {"address"}
        assert await self.recipients.clear("relay.test") == 1
        assert await self.recipients.counts() == {"other.test": 1, "relay.test": None}
        assert await self.recipients.names("alias.test") == ("relay.test", "alias.test")

    async def test_what_cannot_be_is_refused_and_changes_nothing(self):
        await self.add("bob@relay.test", "eve@relay.test")
        for kind, names in (
            (BadValue, ("a@relay.test", "b@example.test")),
            (NoSuchThing, ("a@relay.test", "b@far.example")),
            (BadValue, ("a@relay.test", "b")),
            (BadValue, ('"*"@relay.test',)),
            (BadValue, (f"{'ŉ' * 32}@relay.test",)),
        ):
            await self.refused(kind, self.add(*names))
        for kind, names in (
            (NoSuchThing, ("bob@relay.test", "no@relay.test")),
            (BadValue, ("bob@relay.test", "eve@relay.test")),
            (BadValue, ("bob@example.test",)),
        ):
            await self.refused(kind, self.recipients.remove([address(name) for name in names]))
        for awaitable in (self.recipients.clear("other.test"), self.recipients.recipients("no.test")):
            await self.refused(NoSuchThing, awaitable)
        for domain in ("example.test", "a b"):
            await self.refused(BadValue, self.recipients.clear(domain))
            await self.refused(BadValue, self.recipients.names(domain))
            await self.refused(BadValue, self.load("a", domain=domain))
        await self.refused(BadValue, self.load(replace=True))
        assert await self.listed() == ["bob", "eve"]

    async def test_a_load_adds_and_with_replace_removes_all_others(self):
        assert await self.load("a", "b", "c") == Loaded(added=3, removed=0, total=3)
        assert await self.load("c", "d") == Loaded(added=1, removed=0, total=4)
        assert await self.load("b", "e", replace=True) == Loaded(added=1, removed=3, total=2)
        assert await self.listed() == ["b", "e"]
        assert await self.load("b", "e", replace=True) == Loaded(added=0, removed=0, total=2)

    async def test_a_domain_goes_with_its_recipients(self):
        await self.add("bob@relay.test", "x@other.test")
        await self.admin.remove_domain("alias.test")
        await self.admin.remove_domain("relay.test")
        assert await self.rows("SELECT local_part FROM relay_recipient") == [("x",)]


class SlicesTests(RelayCase):
    async def setUp(self):
        await super().setUp()
        self.patch(recipient_admin, "SLICE", 2)
        self.progress = []

    async def sleep(self, seconds):
        """Between two slices: what is taken then?"""
        await super().sleep(seconds)
        self.between = [*getattr(self, "between", ()), await self.taken(*[f"{each}@relay.test" for each in "abcdefz"])]

    async def load(self, *names, replace=False, domain="relay.test"):
        return await self.recipients.load(
            domain, names, replace, lambda done, count: self.progress.append((done, count))
        )

    async def test_while_a_first_list_is_loaded_everybody_is_taken(self):
        await self.load(*"abcde")
        assert self.progress == [(2, 5), (4, 5), (5, 5)] and len(self.between) == 2
        assert all(len(taken) == 7 for taken in self.between)
        assert await self.listed() == list("abcde")
        assert await self.taken("a@relay.test", "z@relay.test") == ["a@relay.test"]

    async def test_while_a_list_is_replaced_nobody_is_refused_who_was_taken_before_and_will_be_after(self):
        await self.add(*[f"{each}@relay.test" for each in "abcd"])
        assert await self.load(*"cdef", replace=True) == Loaded(added=2, removed=2, total=4)
        assert len(self.between) >= 3
        for taken in self.between:
            assert {"c@relay.test", "d@relay.test"} <= set(taken) and "z@relay.test" not in taken
        assert await self.listed() == list("cdef")

    async def test_a_first_load_that_is_cut_off_leaves_the_domain_open_and_can_be_done_again(self):
        self.patch(recipients, "end_load", None)
        await self.refused(TypeError, self.load(*"abc"))
        assert await self.taken("z@relay.test") == ["z@relay.test"]
        assert await self.recipients.counts() == {"other.test": None, "relay.test": None}
        assert await self.listed() == list("abc")
        self.source.lists["relay.test"] = set()
        assert await self.taken("a@relay.test", "z@relay.test") == ["a@relay.test"], "another list is whole"
        self.source.lists.clear()
        self.patch(recipients, "end_load", END_LOAD)
        assert await self.load(*"abc", replace=True) == Loaded(added=0, removed=0, total=3)
        assert await self.taken("z@relay.test") == []

    async def test_a_domain_that_is_removed_meanwhile_ends_the_load(self):
        async def remove(seconds):
            await self.admin.remove_domain("other.test")

        self.recipients = RecipientAdmin(self.database, remove)
        assert "removed" in await self.refused(NoSuchThing, self.load(*"abc", domain="other.test"))
        assert await self.rows("SELECT * FROM relay_recipient") == []


END_LOAD = recipients.end_load


class DomainTests(RelayCase):
    async def test_another_name_of_a_relay_domain_is_one_too(self):
        kinds = {each.name: (each.kind, each.alias_of) for each in await self.admin.domains()}
        assert kinds == {
            "alias.test": ("relay", "relay.test"),
            "example.test": ("local", None),
            "other.test": ("relay", None),
            "relay.test": ("relay", None),
        }

    async def test_it_has_neither_accounts_nor_aliases_nor_a_quota(self):
        for name in ("relay.test", "alias.test"):
            who = address(f"bob@{name}")
            for refused in (
                self.admin.add_account(who, "secret"),
                self.admin.set_alias(who, (BOB,)),
                self.admin.set_alias(address(f"*@{name}"), (BOB,)),
                self.admin.set_domain(name, {"quota": "1MB"}),
            ):
                assert "relay domain" in await self.refused(BadValue, refused)
        assert await self.rows("SELECT * FROM address") == await self.rows("SELECT * FROM account") == []

    async def test_it_is_never_the_domain_of_unqualified_names(self):
        site = AccountSite.make(reactor)
        self.addCleanup(site.passwords.stop)
        await site.admin.add_domain("relay.test", "relay")
        await site.admin.add_domain("local.test")
        await site.add("postmaster@local.test")
        assert str((await site.directory.account(address("postmaster"))).address) == "postmaster@local.test"
        assert ends(await site.directory.resolve(address("postmaster"))) == ["postmaster@local.test"]
        found = (await site.directory.resolve(address("x@relay.test"))).destinations
        assert found == (Elsewhere(address=address("x@relay.test"), relayed=True),)
