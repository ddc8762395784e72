"""What is left of folders and rights when mailboxes and accounts go, also when the removal is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from worldmail.app.ground import StoreParts, build_store
from worldmail.config.settings import ServerSettings, Settings
from worldmail.errors import BadValue, MailboxExists, NoSuchMailbox
from worldmail.interfaces.directory import Account
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store.folders import Folders, removing
from worldmail.testing.accounts import CHEAP
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import MemoryJournal

BOB, AMY = Address.parse("bob@example.test"), Address.parse("amy@example.test")
BOBS = "Other Users/bob@example.test"


async def nothing(folders: Folders) -> None:
    """What a process does that died."""


class TwoProcesses(TestCase):
    """Two processes on one store on the disk; the accounts bob and amy."""

    async def setUp(self) -> None:
        data = Path(self.mktemp())
        data.mkdir(parents=True)
        self.settings = self.change(evolve(Settings(), server=ServerSettings(data=data), auth=CHEAP))
        self.mine = await self.open()
        self.theirs = await self.open()
        await self.mine.admin.add_domain("example.test")
        self.bob, self.amy = [await self.mine.admin.add_account(each, "secret") for each in (BOB, AMY)]
        self.folders, self.others = self.mine.store.folders, self.theirs.store.folders

    def change(self, settings: Settings) -> Settings:
        return settings

    async def open(self) -> StoreParts:
        parts = build_store(self.settings, reactor, MemoryJournal())
        parts.database.start()
        self.addCleanup(parts.database.stop)
        self.addCleanup(parts.passwords.stop)
        await parts.check_key()
        return parts

    async def deliver(self, account: Account, mailbox: str) -> None:
        store = self.mine.store
        writer = store.acceptance.writer()
        writer.write(b"Subject: x\r\n\r\nx\r\n")
        recipient = Recipient(address=account.address)
        await store.acceptance.accept(
            Acceptance(
                id=store.acceptance.new_id(),
                received=1,
                envelope=Envelope(sender=None, recipients=(recipient,)),
                origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1"),
                content=await writer.finish(),
                deliveries=(Delivery(account_id=account.id, mailbox=mailbox, recipient=recipient),),
                message_id=None,
            )
        )

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return await self.theirs.database.read(lambda cursor: cursor.all(sql))

    async def names(self, folders: Folders, account: Account, pattern: str) -> list[str]:
        return [folder.name for folder in await folders.folders(account, pattern=pattern)]


class Removals(TwoProcesses):
    async def test_a_deletion_that_was_cut_off_is_seen_by_nobody_and_finished_later(self) -> None:
        self.patch(removing, "SLICE", 2)
        await self.folders.create(self.bob, "big")
        for _ in range(5):
            await self.deliver(self.bob, "big")
        left: list[int] = []

        async def die(seconds: float) -> None:
            raise SystemExit("killed")

        async def look(seconds: float) -> None:
            left.extend(row[0] for row in await self.rows("SELECT count(*) FROM message"))

        self.folders._sleep = die
        self.patch(Folders, "_empty_quietly", nothing)
        await self.folders.delete(self.bob, "big")
        with pytest.raises(SystemExit):
            await self.folders.empty()
        assert await self.names(self.others, self.bob, "big") == []
        assert [box.name for box in await self.theirs.mailboxes.mailboxes(self.bob.id)] == [
            "Drafts",
            "INBOX",
            "Junk",
            "Sent",
            "Trash",
        ]
        (root,) = await self.others.quota_roots(self.bob, "INBOX")
        assert root.used["MAILBOX"] == 5
        self.others._sleep = look
        await self.others.empty(lambda: False)
        assert await self.rows("SELECT count(*) FROM message") == [(3,)]
        await self.others.empty()
        assert left == [1]
        assert await self.rows("SELECT name FROM mailbox WHERE name < ' '") == []

    async def test_a_removed_account_leaves_nothing_that_was_said_of_it_or_by_it(self) -> None:
        await self.folders.set_rights(self.bob, "INBOX", str(AMY), "lrp", "=")
        await self.folders.set_rights(self.amy, "Sent", str(BOB), "lr", "=")
        await self.folders.set_rights(self.amy, "Sent", f"-{BOB}", "w", "=")
        await self.folders.annotate(self.bob, "", {"/private/comment": b"x"})
        await self.folders.annotate(self.bob, "Other Users/amy@example.test/Sent", {"/private/comment": b"x"})
        await self.folders.annotate(self.bob, "Sent", {"/shared/comment": b"x"})
        await self.folders.url_key(self.bob, "INBOX", make=True)
        await self.folders.url_key(self.amy, f"{BOBS}/INBOX", make=True)
        await self.folders.subscribe(self.amy, f"{BOBS}/INBOX", True)
        await self.mine.admin.remove_account(BOB)
        for table in ("acl", "annotation", "url_key"):
            assert await self.rows(f"SELECT * FROM {table}") == [], table
        assert {row[0] for row in await self.rows("SELECT account_id FROM subscription")} == {self.amy.id}
        again = await self.theirs.admin.add_account(BOB, "secret")
        assert await self.names(self.others, again, "Other Users") == []
        assert await self.folders.folder(self.amy, f"{BOBS}/INBOX") is None

    async def test_what_changes_lists_is_told_to_those_whose_lists_they_are(self) -> None:
        told: list[tuple[str, int]] = []
        for topic in ("mailbox", "folders"):
            self.mine.foundations.changes.subscribe(topic, lambda notice: told.append((notice.topic, notice.key)))

        async def after(waiting: Any) -> set[tuple[str, int]]:
            told.clear()
            await waiting
            return set(told)

        bob, amy = ("folders", self.bob.id), ("folders", self.amy.id)
        await self.folders.create(self.bob, "a")
        folder = await self.folders.folder(self.bob, "a")
        assert folder is not None
        box = ("mailbox", folder.id)
        assert await after(self.folders.set_rights(self.bob, "a", str(AMY), "lr", "=")) == {box, bob, amy}
        assert await after(self.folders.set_rights(self.bob, "a", str(AMY), "lr", "=")) == set()
        assert await after(self.folders.rename(self.bob, "a", "b")) == {box, bob, amy}
        assert await after(self.folders.subscribe(self.amy, f"{BOBS}/b", True)) == {amy}
        assert await after(self.folders.annotate(self.bob, "b", {"/shared/comment": b"x"})) == {box}
        assert await after(self.folders.set_rights(self.bob, "b", "anyone", "l", "=")) >= {box, ("folders", 0)}
        assert await after(self.folders.delete(self.bob, "b")) >= {box, bob, ("folders", 0)}

    async def test_the_owner_of_public_folders_is_nobody_and_goes_with_the_last_of_them(self) -> None:
        public = self.mine.folder_admin
        await public.add("example.test", "News", {"anyone": "lrs"})
        await self.deliver(self.amy, "INBOX")
        assert [one.address for one in await self.mine.admin.accounts()] == [AMY, BOB]
        assert await self.names(self.others, self.bob, "Shared") == ["Shared Folders", "Shared Folders/News"]
        folder = await self.others.folder(self.bob, "Shared Folders/News")
        assert folder is not None and folder.rights == "lrs" and folder.reader(self.bob.id) == self.bob.id
        await self.mine.admin.add_domain("other.test")
        eve = await self.mine.admin.add_account(Address.parse("eve@other.test"), "secret")
        assert await self.names(self.folders, eve, "Shared") == []
        for address in (BOB, AMY):
            await self.mine.admin.remove_account(address)
        with pytest.raises(BadValue, match="public"):
            await self.mine.admin.remove_domain("example.test")
        await public.remove("example.test", "News")
        assert await self.rows("SELECT address FROM account") == [("eve@other.test",)]
        await self.mine.admin.remove_domain("example.test")

    async def test_a_quota_of_a_domain_counts_what_is_there(self) -> None:
        await self.deliver(self.bob, "INBOX")
        await self.deliver(self.amy, "Sent")
        await self.mine.admin.set_domain("example.test", {"quota": "1MiB"})
        roots = await self.others.quota_roots(self.amy, "INBOX")
        ((held,),) = await self.rows("SELECT sum(octets) FROM mailbox")
        assert held > 0 and roots[1].used == {"STORAGE": held} and roots[1].limits == {"STORAGE": 1 << 20}
        await self.mine.admin.remove_account(BOB)
        ((held,),) = await self.rows("SELECT sum(octets) FROM mailbox")
        assert (await self.others.quota_roots(self.amy, "INBOX"))[1].used == {"STORAGE": held}
        assert (await self.mine.admin.set_domain("example.test", {"quota": "none"})).quota is None
        assert len(await self.others.quota_roots(self.amy, "INBOX")) == 1


class Races(TwoProcesses):
    """What both processes do in one moment."""

    async def both(self, *work: Any) -> list[Any]:
        """The results, errors among them."""

        async def caught(one: Any) -> Any:
            try:
                return await one
            except (MailboxExists, NoSuchMailbox) as error:
                return error

        return list(await gatherResults([Deferred.fromCoroutine(caught(one)) for one in work]))

    async def test_of_two_that_make_one_mailbox_one_is_told_that_it_is_there(self) -> None:
        for number in range(5):
            name = f"a{number}/b/c"
            done = await self.both(*(each.create(self.bob, name) for each in (self.folders, self.others) * 2))
            assert sorted(isinstance(one, MailboxExists) for one in done) == [False, True, True, True]
            assert len(await self.names(self.folders, self.bob, f"a{number}")) == 3

    async def test_of_two_that_rename_or_delete_one_mailbox_one_finds_it_gone(self) -> None:
        for number in range(5):
            await self.folders.create(self.bob, f"{number}/x")
            done = await self.both(
                self.folders.rename(self.bob, f"{number}", f"mine{number}"),
                self.others.rename(self.bob, f"{number}", f"theirs{number}"),
            )
            assert sorted(isinstance(one, NoSuchMailbox) for one in done) == [False, True]
        done = await self.both(self.folders.delete(self.bob, "Trash"), self.others.delete(self.bob, "Trash"))
        assert sorted(isinstance(one, NoSuchMailbox) for one in done) == [False, True]
        listed = await self.names(self.folders, self.bob, "")
        assert len(listed) == 4 + 10 and sum(name.endswith("/x") for name in listed) == 5

    async def test_a_first_public_folder_that_two_make_has_one_owner(self) -> None:
        public = (self.mine.folder_admin, self.theirs.folder_admin)
        await self.both(*(each.add("example.test", f"n{number}", {}) for number, each in enumerate(public)))
        assert len(await self.rows("SELECT 1 FROM account WHERE kind = 'public'")) == 1


class OnPostgres(TwoProcesses):
    """The same on two nodes with one server."""

    postgres: PostgresProcess

    def change(self, settings: Settings) -> Settings:
        return evolve(settings, database=evolve(settings.database, engine="postgres", url=self.postgres.url()))


class TestRemovalsOnSqlite(Removals):
    pass


class TestRacesOnSqlite(Races):
    pass


@pytest.mark.usefixtures("postgres")
class TestRemovalsOnPostgres(OnPostgres, Removals):
    pass


@pytest.mark.usefixtures("postgres")
class TestRacesOnPostgres(OnPostgres, Races):
    pass


del OnPostgres, Races, Removals, TwoProcesses
