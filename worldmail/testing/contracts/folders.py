"""The contract of `IFolders`: names, the tree, subscriptions."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from worldmail.errors import BadName, MailboxExists, NoRight, NoSuchMailbox, NotPermitted, UseNotOffered
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import OTHERS, OWNER_RIGHTS, Folder, IFolders
from worldmail.mail.address import Address
from worldmail.testing.contracts.acceptance import StoreCase

FIRST = ["INBOX", "Drafts", "Junk", "Sent", "Trash"]
BAD_NAMES = ("", "/", "a//b", "/a", "a/b//", "a\x00", "a\nb", "a\x7f", "a\x85", "a\u2028", "\ud800", "a\ufffe")
BAD_NEW_NAMES = (*BAD_NAMES, "a%", "a*b", "#news", "x" * 256, "/".join("x" * 33), "Other Users", "Shared Folders/")


class FolderCase(StoreCase):
    """Accounts rcpt1@example.test and so on. Set `folders`, `database`, and those of `StoreCase`."""

    folders: IFolders
    database: IDatabase

    async def account(self, **changes: Any) -> Account:
        """A new account with its first mailboxes, as a session knows it."""
        number = await self.new_account()
        return Account(
            id=number,
            address=Address.parse(f"rcpt{number}@example.test"),
            name="",
            enabled=True,
            generation=1,
            quota=None,
            max_message=None,
            legacy_auth=False,
            settings=changes,
        )

    async def at(self, account: Account, name: str) -> Folder:
        """A folder that is there."""
        folder = await self.folders.folder(account, name)
        assert folder is not None
        return folder

    async def names(self, account: Account, pattern: str | None = None) -> list[str]:
        """What is listed."""
        return [folder.name for folder in await self.folders.folders(account, pattern=pattern)]

    async def share(self, owner: Account, name: str, identifier: str, rights: str) -> None:
        """Give rights, in place of those that were there."""
        await self.folders.set_rights(owner, name, identifier, rights, "=")

    async def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is in the database."""

        def unit(cursor: Cursor) -> list[tuple[Any, ...]]:
            return cursor.all(sql, parameters)

        return await self.database.read(unit)

    async def change(self, sql: str, *parameters: Any) -> None:
        """Change the database behind everybody's back."""

        def unit(cursor: Cursor) -> None:
            cursor.run(sql, parameters)

        await self.database.write(unit)

    @staticmethod
    async def refused(kind: type[Exception], waiting: Awaitable[Any]) -> None:
        """It fails with this error and none that comes of it."""
        with pytest.raises(kind) as raised:
            await waiting
        assert raised.type is kind


def seen_by_others(owner: Account, name: str) -> str:
    """The name of an account's mailbox for others."""
    return f"{OTHERS}{owner.address.key}/{name}"


class FoldersContract(FolderCase):
    """The tree of an account's own mailboxes."""

    async def test_it_provides_its_interface(self) -> None:
        assert verifyObject(IFolders, self.folders)

    async def test_a_new_account_lists_its_first_mailboxes_and_is_subscribed_to_them(self) -> None:
        bob = await self.account()
        assert await self.names(bob) == FIRST
        assert sorted(await self.folders.subscribed(bob)) == sorted(FIRST)
        uses = {folder.name: folder.special_use for folder in await self.folders.folders(bob)}
        assert uses["Sent"] == "\\Sent" and uses["INBOX"] is None
        assert all(folder.subscribed for folder in await self.folders.folders(bob))

    async def test_INBOX_is_one_in_any_case_and_other_names_are_not(self) -> None:
        bob = await self.account()
        assert await self.at(bob, "inBox") == await self.at(bob, "INBOX")
        await self.folders.create(bob, "sent")
        assert (await self.at(bob, "sent")).id != (await self.at(bob, "Sent")).id
        assert (await self.folders.create(bob, "inbox/Lists")).name == "INBOX/Lists"
        assert (await self.at(bob, "INBOX")).has_children

    async def test_names_are_kept_composed(self) -> None:
        bob = await self.account()
        assert (await self.folders.create(bob, "Bu\u0308cher")).name == "B\u00fccher"
        assert (await self.at(bob, "Bu\u0308cher")).name == "B\u00fccher"

    async def test_names_that_no_mailbox_can_have_are_refused(self) -> None:
        bob = await self.account()
        for name in BAD_NEW_NAMES:
            with pytest.raises(BadName):
                await self.folders.create(bob, name)
            with pytest.raises(BadName):
                await self.folders.rename(bob, "Sent", name)
        for name in BAD_NAMES:
            with pytest.raises(BadName):
                await self.folders.folder(bob, name)
        assert await self.names(bob) == FIRST

    async def test_a_new_mailbox_is_empty_and_brings_the_levels_above_it(self) -> None:
        bob = await self.account()
        made = await self.folders.create(bob, "a/b/c/", special_use="\\Archive")
        assert (made.name, made.messages, made.uidnext, made.rights) == ("a/b/c", 0, 1, OWNER_RIGHTS)
        found = {folder.name: folder for folder in await self.folders.folders(bob, pattern="a")}
        assert [(name, folder.exists, folder.has_children) for name, folder in found.items()] == [
            ("a", True, True),
            ("a/b", True, True),
            ("a/b/c", True, False),
        ]
        assert [folder.special_use for folder in found.values()] == [None, None, "\\Archive"]
        assert len({folder.uidvalidity for folder in found.values()}) == 3
        await self.refused(MailboxExists, self.folders.create(bob, "a/b"))
        await self.refused(MailboxExists, self.folders.create(bob, "inbox"))

    async def test_what_a_mailbox_is_for_can_be_changed(self) -> None:
        bob = await self.account()
        await self.folders.set_special_use(bob, "Sent", None)
        await self.folders.set_special_use(bob, "Trash", "\\Important")
        uses = {folder.name: folder.special_use for folder in await self.folders.folders(bob)}
        assert (uses["Sent"], uses["Trash"]) == (None, "\\Important")
        await self.refused(UseNotOffered, self.folders.set_special_use(bob, "Sent", "\\All"))
        await self.refused(UseNotOffered, self.folders.create(bob, "x", special_use="\\Flagged"))
        await self.refused(NoSuchMailbox, self.folders.set_special_use(bob, "x", "\\Sent"))

    async def test_a_rename_takes_everything_below_with_it(self) -> None:
        bob = await self.account()
        for name in ("a/b/c", "a-b", "ab", "a/b!"):
            await self.folders.create(bob, name)
        await self.accept(b"1", bob.id, mailbox="a/b/c")
        before = await self.at(bob, "a/b/c")
        await self.folders.rename(bob, "a", "z/y")
        assert await self.names(bob) == [*FIRST, "a-b", "ab", "z", "z/y", "z/y/b", "z/y/b!", "z/y/b/c"]
        after = await self.at(bob, "z/y/b/c")
        assert (after.id, after.uidvalidity, after.messages) == (before.id, before.uidvalidity, 1)
        assert await self.folders.by_id(bob, before.id) == after

    async def test_a_rename_upwards_passes_its_own_old_names(self) -> None:
        bob = await self.account()
        await self.folders.create(bob, "b/a/a/a")
        ids = [(await self.at(bob, name)).id for name in ("b/a", "b/a/a", "b/a/a/a")]
        await self.folders.delete(bob, "b")
        await self.folders.rename(bob, "b/a", "b")
        assert [(await self.at(bob, name)).id for name in ("b", "b/a", "b/a/a")] == ids

    async def test_a_rename_onto_something_or_below_itself_is_refused(self) -> None:
        bob = await self.account()
        for name in ("a/x", "b/x"):
            await self.folders.create(bob, name)
        await self.folders.delete(bob, "b")
        await self.refused(MailboxExists, self.folders.rename(bob, "a", "Sent"))
        await self.refused(MailboxExists, self.folders.rename(bob, "a", "a"))
        await self.refused(MailboxExists, self.folders.rename(bob, "a", "b"))
        await self.refused(BadName, self.folders.rename(bob, "a", "a/y"))
        await self.refused(NoSuchMailbox, self.folders.rename(bob, "c", "d"))
        await self.refused(BadName, self.folders.rename(bob, "a", "/".join("x" * 32)))
        assert await self.names(bob) == [*FIRST, "a", "a/x", "b", "b/x"]

    async def test_renaming_INBOX_moves_its_messages_and_leaves_what_is_below(self) -> None:
        bob, amy = await self.account(), await self.account()
        await self.folders.create(bob, "INBOX/x")
        await self.accept(b"1", bob.id)
        await self.share(bob, "INBOX", "rcpt9@example.test", "lr")
        await self.folders.annotate(bob, "INBOX", {"/private/comment": b"mine"})
        await self.folders.rename(bob, "inbox", "old/2029")
        moved, inbox = await self.at(bob, "old/2029"), await self.at(bob, "INBOX")
        assert (moved.messages, inbox.messages, inbox.uidnext) == (1, 0, 1)
        assert inbox.uidvalidity > moved.uidvalidity
        assert (inbox.shared, moved.shared) == (True, False)
        for name in ("INBOX", "old/2029"):
            assert await self.folders.annotations(bob, name, ["/private/comment"]) == {"/private/comment": b"mine"}
        await self.accept(b"2", bob.id)
        assert (await self.at(bob, "INBOX")).messages == 1
        assert await self.names(bob, "INBOX") == ["INBOX", "INBOX/x"]
        assert await self.names(amy) == FIRST

    async def test_a_deleted_mailbox_is_gone_and_what_is_below_stays(self) -> None:
        bob = await self.account()
        await self.folders.create(bob, "a/b")
        await self.folders.subscribe(bob, "a", True)
        await self.accept(b"1", bob.id, mailbox="a")
        deleted = await self.at(bob, "a")
        await self.folders.delete(bob, "a")
        assert await self.folders.folder(bob, "a") is None
        assert await self.folders.by_id(bob, deleted.id) is None
        level, below = await self.folders.folders(bob, pattern="a")
        assert (level.name, level.exists, level.id, level.has_children) == ("a", False, 0, True)
        assert level.subscribed and "a" in await self.folders.subscribed(bob)
        assert below.exists
        await self.refused(NoSuchMailbox, self.folders.delete(bob, "a"))
        await self.refused(NotPermitted, self.folders.delete(bob, "inbox"))
        again = await self.folders.create(bob, "a")
        assert again.uidvalidity > deleted.uidvalidity and again.id > deleted.id

    async def test_what_is_in_a_deleted_mailbox_is_removed(self) -> None:
        bob = await self.account()
        made = await self.folders.create(bob, "a")
        for content in (b"1", b"2"):
            await self.accept(content, bob.id, mailbox="a")
        await self.share(bob, "a", "anyone", "lr")
        await self.folders.annotate(bob, "a", {"/shared/comment": b"x"})
        await self.folders.url_key(bob, "a", make=True)
        await self.folders.delete(bob, "a")
        await self.empty()
        assert await self.rows("SELECT 1 FROM mailbox WHERE id = ?", made.id) == []
        for table in ("message", "acl", "annotation", "url_key"):
            assert await self.rows(f"SELECT 1 FROM {table} WHERE mailbox_id = ?", made.id) == [], table

    async def empty(self) -> None:
        """Done when what was deleted is removed."""
        raise AssertionError("to be overridden")

    async def test_an_administrator_can_switch_off_what_changes_the_tree(self) -> None:
        bob = await self.account(**{"imap-create": "off", "imap-rename": "off", "imap-delete": "off"})
        await self.refused(NotPermitted, self.folders.create(bob, "a"))
        await self.refused(NotPermitted, self.folders.rename(bob, "Sent", "a"))
        await self.refused(NotPermitted, self.folders.delete(bob, "Sent"))
        assert await self.names(bob) == FIRST

    async def test_subscriptions_are_made_to_what_is_there_and_outlive_it(self) -> None:
        bob = await self.account()
        await self.refused(NoSuchMailbox, self.folders.subscribe(bob, "a", True))
        await self.folders.create(bob, "a")
        assert not (await self.at(bob, "a")).subscribed
        for _ in range(2):
            await self.folders.subscribe(bob, "a", True)
        assert (await self.at(bob, "a")).subscribed
        await self.folders.delete(bob, "a")
        assert "a" in await self.folders.subscribed(bob)
        for _ in range(2):
            await self.folders.subscribe(bob, "a", False)
        await self.folders.subscribe(bob, "inbox", False)
        assert await self.folders.subscribed(bob) == ["Drafts", "Junk", "Sent", "Trash"]

    async def test_a_folder_counts_what_is_in_it(self) -> None:
        bob = await self.account()
        for content in (b"1", b"22"):
            await self.accept(content, bob.id)
        folder = await self.at(bob, "INBOX")
        assert (folder.messages, folder.unseen, folder.uidnext) == (2, 2, 3)
        assert folder.octets > 3 and folder.highestmodseq > 1
        (listed,) = await self.folders.folders(bob, pattern="INBOX")
        assert listed == folder

    async def test_a_beginning_asked_for_leaves_out_the_rest(self) -> None:
        bob = await self.account()
        for name in ("ab/c", "abc", "b"):
            await self.folders.create(bob, name)
        assert await self.names(bob, "ab") == ["ab", "ab/c", "abc"]
        assert await self.names(bob, "ab/") == ["ab/c"]
        assert await self.names(bob, OTHERS) == []
        assert await self.names(bob, "") == [*FIRST, "ab", "ab/c", "abc", "b"]

    async def test_nobody_makes_mailboxes_for_others_or_for_nobody(self) -> None:
        bob, amy = await self.account(), await self.account()
        for name in (seen_by_others(bob, "x"), f"{OTHERS}no@example.test/x", "Shared Folders/x"):
            await self.refused(NoRight, self.folders.create(amy, name))
        assert await self.names(bob) == FIRST
        await self.refused(NoRight, self.folders.rename(amy, "Sent", seen_by_others(bob, "x")))
