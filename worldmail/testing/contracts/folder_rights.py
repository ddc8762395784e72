"""The contract of `IFolders`: rights, and what hangs on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from worldmail.errors import (
    AnnotationTooLarge,
    BadName,
    MailboxExists,
    NoRight,
    NoSuchMailbox,
    NotPermitted,
    TooManyAnnotations,
)
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import OTHERS, OWNER_RIGHTS
from worldmail.mail.address import Address
from worldmail.testing.contracts.folders import FIRST, FolderCase, seen_by_others


class FolderRightsContract(FolderCase):
    """What others may do with an account's mailboxes (RFC 4314)."""

    async def setting(self) -> tuple[Any, Any, str, str]:
        """bob has a mailbox; amy, bob, the name for bob, the name for amy."""
        bob, amy = await self.account(), await self.account()
        await self.folders.create(bob, "team/plans")
        return bob, amy, "team/plans", seen_by_others(bob, "team/plans")

    async def test_what_is_not_shared_is_not_there_for_others(self) -> None:
        _, amy, _, name = await self.setting()
        assert await self.folders.folder(amy, name) is None
        assert await self.names(amy) == FIRST
        for waiting in (
            self.folders.delete(amy, name),
            self.folders.rename(amy, name, "x"),
            self.folders.rights_of(amy, name),
            self.folders.set_rights(amy, name, "anyone", "lr", "="),
            self.folders.subscribe(amy, name, True),
            self.folders.annotations(amy, name, ["/shared/comment"]),
            self.folders.annotate(amy, name, {"/private/comment": b"x"}),
            self.folders.quota_roots(amy, name),
            self.folders.url_key(amy, name, make=True),
        ):
            await self.refused(NoSuchMailbox, waiting)

    async def test_what_is_shared_is_listed_below_its_owner(self) -> None:
        bob, amy, own, name = await self.setting()
        await self.accept(b"1", bob.id, mailbox=own)
        await self.folders.set_special_use(bob, own, "\\Archive")
        await self.share(bob, own, str(amy.address), "lr")
        listed = {folder.name: folder for folder in await self.folders.folders(amy)}
        assert [name for name, folder in listed.items() if not folder.exists] == [
            "Other Users",
            f"{OTHERS}{bob.address.key}",
            seen_by_others(bob, "team"),
        ]
        folder = listed[name]
        assert folder == await self.at(amy, name) == await self.folders.by_id(amy, folder.id)
        assert (folder.rights, folder.shared, folder.special_use, folder.messages) == ("lr", True, None, 1)
        assert (folder.owner, folder.reader(amy.id), folder.reader(bob.id)) == (bob.id, amy.id, None)
        own_view = await self.at(bob, own)
        assert (own_view.shared, own_view.rights, own_view.id) == (True, OWNER_RIGHTS, folder.id)
        assert [each.shared for each in await self.folders.folders(bob, pattern="team")] == [False, True]
        assert await self.names(amy, OTHERS) == [f"{OTHERS}{bob.address.key}", seen_by_others(bob, "team"), name]

    async def test_an_account_is_found_however_its_address_is_written(self) -> None:
        bob, amy, own, name = await self.setting()
        await self.share(bob, own, str(amy.address).upper(), "lr")
        assert (await self.at(amy, name.replace("rcpt", "RCPT").replace("example", "Example"))).name == name
        await self.share(bob, "INBOX", amy.address.local, "lr")
        assert (await self.at(amy, seen_by_others(bob, "inbox"))).name == seen_by_others(bob, "INBOX")

    async def test_ones_own_mailboxes_are_found_below_the_others_too(self) -> None:
        bob, _, own, name = await self.setting()
        assert await self.at(bob, name) == await self.at(bob, own)

    async def test_rights_add_up_and_those_taken_away_win(self) -> None:
        bob, amy, own, name = await self.setting()
        for identifier, rights, effective in (
            ("anyone", "lr", "lr"),
            (str(amy.address), "wi", "lrwi"),
            ("-anyone", "w", "lri"),
            (f"-{amy.address}", "il", "r"),
            ("anyone", "", ""),
        ):
            await self.share(bob, own, identifier, rights)
            folder = await self.folders.folder(amy, name)
            assert (folder.rights if folder else "") == effective, identifier

    async def test_rights_are_set_added_and_removed(self) -> None:
        bob, amy, own, _ = await self.setting()
        key = amy.address.key
        for rights, how, after in (
            ("lr", "=", "lr"),
            ("rw", "+", "lrw"),
            ("lx", "-", "rw"),
            ("cd", "+", "rwkxte"),
            ("aettr", "=", "rtea"),
        ):
            await self.folders.set_rights(bob, own, key, rights, how)
            assert await self.folders.rights_of(bob, own) == {bob.address.key: OWNER_RIGHTS, key: after}
        await self.share(bob, own, key, "")
        await self.share(bob, own, bob.address.key, "l")
        assert await self.folders.rights_of(bob, own) == {bob.address.key: OWNER_RIGHTS}
        await self.refused(BadName, self.folders.set_rights(bob, own, key, "y", "="))
        for identifier in ("", "-", "a b@example.test", "@example.test"):
            await self.refused(BadName, self.folders.set_rights(bob, own, identifier, "l", "="))

    async def share_all(self, owner: Account, pattern: str, other: Account, rights: str) -> None:
        """Give rights on all folders whose names begin so."""
        for name in await self.names(owner, pattern):
            if await self.folders.folder(owner, name) is not None:
                await self.share(owner, name, other.address.key, rights)

    async def test_each_act_needs_its_right(self) -> None:
        """RFC 4314 §4: with all rights but one the act is refused, with that one and l it is done."""
        bob, amy, _, name = await self.setting()
        folders = self.folders
        acts: tuple[tuple[str, Callable[[], Awaitable[object]], str], ...] = (
            ("k", lambda: folders.create(amy, f"{name}/new"), ""),
            ("a", lambda: folders.rights_of(amy, name), ""),
            ("a", lambda: folders.set_rights(amy, name, "anyone", "p", "+"), ""),
            ("x", lambda: folders.rename(amy, name, seen_by_others(bob, "team/x")), "k"),
            ("x", lambda: folders.delete(amy, seen_by_others(bob, "team/x")), ""),
        )
        for right, act, others in acts:
            await self.share_all(bob, "team", amy, OWNER_RIGHTS.replace(right, ""))
            await self.refused(NoRight, act())
            await self.share_all(bob, "team", amy, f"l{right}{others}")
            await act()
        assert await self.names(bob, "team") == ["team", "team/x", "team/x/new"]

    async def test_a_rename_needs_the_right_to_make_at_its_target(self) -> None:
        bob, amy, own, name = await self.setting()
        await self.share(bob, own, amy.address.key, "lx")
        await self.refused(NoRight, self.folders.rename(amy, name, seen_by_others(bob, "team/other")))
        await self.refused(NoRight, self.folders.rename(amy, name, seen_by_others(bob, "top")))
        await self.share(bob, "team", amy.address.key, "k")
        await self.folders.rename(amy, name, seen_by_others(bob, "team/other"))
        assert await self.names(bob, "team") == ["team", "team/other"]

    async def test_mailboxes_do_not_move_from_one_account_to_another(self) -> None:
        bob, amy, own, name = await self.setting()
        await self.share(bob, own, amy.address.key, OWNER_RIGHTS)
        await self.refused(NotPermitted, self.folders.rename(amy, name, "mine"))
        await self.refused(NotPermitted, self.folders.rename(amy, "Sent", f"{name}/sent"))
        await self.share(bob, "INBOX", amy.address.key, OWNER_RIGHTS)
        await self.refused(NoRight, self.folders.rename(amy, seen_by_others(bob, "INBOX"), f"{name}/x"))
        await self.refused(NotPermitted, self.folders.delete(amy, seen_by_others(bob, "INBOX")))

    async def test_a_new_mailbox_has_the_rights_of_the_one_above(self) -> None:
        bob, amy, own, name = await self.setting()
        await self.share(bob, own, amy.address.key, "lk")
        made = await self.folders.create(amy, f"{name}/a/b")
        assert (made.rights, made.owner, made.name) == ("lk", bob.id, f"{name}/a/b")
        assert await self.folders.rights_of(bob, f"{own}/a") == {bob.address.key: OWNER_RIGHTS, amy.address.key: "lk"}
        await self.refused(MailboxExists, self.folders.create(amy, f"{name}/a"))
        await self.refused(NoRight, self.folders.create(amy, f"{name}/c", special_use="\\Sent"))

    async def test_subscriptions_reach_what_others_share(self) -> None:
        bob, amy, own, name = await self.setting()
        await self.share(bob, own, "anyone", "l")
        await self.folders.subscribe(amy, name, True)
        assert name in await self.folders.subscribed(amy)
        assert (await self.at(amy, name)).subscribed
        (folder,) = [each for each in await self.folders.folders(amy) if each.name == name]
        assert folder.subscribed
        await self.folders.subscribe(amy, name.replace("rcpt", "Rcpt"), False)
        assert name not in await self.folders.subscribed(amy)

    async def test_what_was_shared_ends_with_the_rename_of_nothing_but_the_name(self) -> None:
        bob, amy, own, _ = await self.setting()
        await self.share(bob, own, amy.address.key, "lr")
        await self.folders.rename(bob, "team", "group")
        assert (await self.at(amy, seen_by_others(bob, "group/plans"))).rights == "lr"


class FolderMattersContract(FolderCase):
    """Annotations, quota roots, access keys, posting."""

    async def test_annotations_are_private_or_shared_and_found_by_depth(self) -> None:
        bob, amy = await self.account(), await self.account()
        await self.share(bob, "Sent", amy.address.key, "lr")
        name = seen_by_others(bob, "Sent")
        values = {"/Private/Comment": b"mine", "/shared/vendor/x/a": b"1", "/shared/vendor/x/a/b": b"\x00\xff"}
        await self.folders.annotate(bob, "Sent", values)
        asked = self.folders.annotations
        assert await asked(bob, "Sent", ["/private/COMMENT", "/shared/none"]) == {"/private/comment": b"mine"}
        assert await asked(amy, name, ["/private"], depth=None) == {}
        assert await asked(amy, name, ["/shared/vendor/x"]) == {}
        assert await asked(amy, name, ["/shared/vendor/x"], depth=1) == {"/shared/vendor/x/a": b"1"}
        assert len(await asked(amy, name, ["/shared"], depth=None)) == 2
        await self.folders.annotate(amy, name, {"/private/comment": b"hers"})
        await self.folders.annotate(bob, "Sent", {"/private/comment": None, "/shared/vendor/x/a": None})
        assert await asked(bob, "Sent", ["/private", "/shared"], depth=None) == {"/shared/vendor/x/a/b": b"\x00\xff"}
        assert await asked(amy, name, ["/private/comment"]) == {"/private/comment": b"hers"}

    async def test_annotations_need_rights(self) -> None:
        """RFC 5464 §3.3: the right l and one of r, s, w, i, p."""
        bob, amy = await self.account(), await self.account()
        name = seen_by_others(bob, "Sent")
        private, shared = {"/private/comment": b"x"}, {"/shared/comment": b"y", "/private/comment": b"y"}
        for rights in ("l", "lkxtea", *(f"l{right}" for right in "rsipw")):
            await self.share(bob, "Sent", amy.address.key, rights)
            if set(rights) & set("rswip"):
                await self.folders.annotate(amy, name, private)
                assert await self.folders.annotations(amy, name, ["/private/comment"]) == private
            else:
                await self.refused(NoRight, self.folders.annotate(amy, name, private))
                await self.refused(NoRight, self.folders.annotations(amy, name, ["/private/comment"]))
            if "w" in rights:
                await self.folders.annotate(amy, name, shared)
            else:
                await self.refused(NoRight, self.folders.annotate(amy, name, shared))
        assert await self.folders.annotations(bob, "Sent", ["/shared", "/private"], depth=None) == {
            "/shared/comment": b"y"
        }
        await self.share(bob, "Sent", amy.address.key, "rswip")
        await self.refused(NoSuchMailbox, self.folders.annotations(amy, name, ["/private/comment"]))

    async def test_annotations_are_bounded(self) -> None:
        bob = await self.account()
        await self.folders.annotate(bob, "Sent", {f"/private/vendor/x/{n}": b"" for n in range(64)})
        await self.refused(TooManyAnnotations, self.folders.annotate(bob, "Sent", {"/private/comment": b"x"}))
        await self.folders.annotate(bob, "Sent", {"/private/comment": b"x", "/private/vendor/x/0": None})
        large = {"/shared/comment": b"x" * 65537}
        await self.refused(AnnotationTooLarge, self.folders.annotate(bob, "Sent", large))
        for entry in ("/comment", "/private/", "/private//x", "/private/a%", "/shared/\xe9", "/private", "x" * 1001):
            with pytest.raises(BadName):
                await self.folders.annotate(bob, "Sent", {entry: b"x"})

    async def test_the_server_has_annotations_of_each_account_and_none_that_an_account_could_share(self) -> None:
        bob, amy = await self.account(), await self.account()
        await self.folders.annotate(bob, "", {"/private/comment": b"mine"})
        await self.refused(NoRight, self.folders.annotate(bob, "", {"/shared/comment": b"ours"}))
        assert await self.folders.annotations(bob, "", ["/private"], depth=None) == {"/private/comment": b"mine"}
        assert await self.folders.annotations(amy, "", ["/private", "/shared"], depth=None) == {}

    async def test_an_account_is_a_quota_root_and_so_is_a_domain_with_a_quota(self) -> None:
        bob, amy = await self.account(), await self.account()
        await self.accept(b"1", bob.id)
        octets = (await self.at(bob, "INBOX")).octets
        (root,) = await self.folders.quota_roots(bob, "Sent")
        assert root == await self.folders.quota_root(bob, root.name)
        assert root.name == bob.address.key
        assert root.used == {"STORAGE": octets, "MESSAGE": 1, "MAILBOX": 5}
        assert root.limits == {"MAILBOX": 10_000}
        for sql in (
            "UPDATE account SET quota = 1000 WHERE id = ?",
            "UPDATE domain SET quota = 5000, octets = 77 WHERE id = (SELECT domain_id FROM account WHERE id = ?)",
        ):
            await self.change(sql, bob.id)
        root, domain = await self.folders.quota_roots(bob, "Sent")
        assert root.limits == {"STORAGE": 1000, "MAILBOX": 10_000}
        assert (domain.name, domain.used, domain.limits) == ("domain:example.test", {"STORAGE": 77}, {"STORAGE": 5000})
        assert await self.folders.quota_root(amy, domain.name) == domain
        assert await self.folders.quota_root(amy, root.name) is None
        await self.share(bob, "Sent", "anyone", "lr")
        assert await self.folders.quota_roots(amy, seen_by_others(bob, "Sent")) == []
        await self.share(bob, "Sent", "anyone", "lra")
        assert await self.folders.quota_roots(amy, seen_by_others(bob, "Sent")) == [root, domain]

    async def test_access_keys_are_each_accounts_own_and_can_be_forgotten(self) -> None:
        bob, amy = await self.account(), await self.account()
        await self.share(bob, "Sent", "anyone", "lr")
        assert await self.folders.url_key(bob, "Sent", make=False) is None
        key = await self.folders.url_key(bob, "Sent", make=True)
        assert key is not None and len(key) == 32
        assert await self.folders.url_key(bob, "Sent", make=True) == key
        assert await self.folders.url_key(bob, "Sent", make=False) == key
        assert await self.folders.url_key(amy, seen_by_others(bob, "Sent"), make=False) is None
        other = await self.folders.url_key(bob, "INBOX", make=True)
        assert other != key
        await self.folders.reset_url_keys(bob, "Sent")
        assert await self.folders.url_key(bob, "Sent", make=False) is None
        assert await self.folders.url_key(bob, "INBOX", make=False) == other
        await self.folders.reset_url_keys(bob, None)
        assert await self.folders.url_key(bob, "INBOX", make=False) is None

    async def test_a_tag_leads_to_the_mailbox_where_the_sender_may_post(self) -> None:
        bob, amy = await self.account(), await self.account()
        ask = self.folders.delivery_folder
        for name in ("Lists", "lists/a", "LISTS"):
            await self.folders.create(bob, name)
        assert await ask(bob.id, "lists", None) is None
        await self.share(bob, "Lists", "anyone", "p")
        assert await ask(bob.id, "lists", None) == "Lists"
        assert await ask(bob.id, "lists", amy.address) == "Lists"
        assert await ask(amy.id, "lists", None) is None
        await self.share(bob, "LISTS", amy.address.key, "p")
        assert await ask(bob.id, "LISTS", amy.address) == "LISTS"
        assert await ask(bob.id, "LISTS", None) == "Lists"
        await self.share(bob, "Lists", f"-{amy.address}", "p")
        assert await ask(bob.id, "Lists", amy.address) == "LISTS"
        assert await ask(bob.id, "Lists", Address.parse("who@far.example")) == "Lists"
        for tag in ("", "lists/a", "none", "a//b", "x" * 70, "\x01"):
            assert await ask(bob.id, tag, None) is None
