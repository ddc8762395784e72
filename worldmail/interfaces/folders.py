"""Mailboxes by name, as an account sees them: its own, other users', public ones; rights, subscriptions, annotations.

Names are Unicode in NFC, levels separated by "/". An account's own mailboxes have their plain names, "INBOX" in
capitals; those of others begin with `OTHERS` and the owner's address, public ones with `PUBLIC`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.directory import Account
from worldmail.mail.address import Address

OTHERS = "Other Users/"
PUBLIC = "Shared Folders/"

OWNER_RIGHTS = "lrswipkxtea"
"""Every right of RFC 4314 §2.1, in the order in which they are told."""

OBSOLETE_RIGHTS = {"c": "kx", "d": "te"}
"""What the letters of RFC 2086 stand for now (RFC 4314 §2.1.1)."""

ANYONE = "anyone"
"""The identifier of every account, and of those who are signed in as none (RFC 4314 §2)."""

SPECIAL_USES = ("\\Archive", "\\Drafts", "\\Important", "\\Junk", "\\Sent", "\\Trash")
"""What a mailbox can be for (RFC 6154 §2, RFC 8457 §3). \\All and \\Flagged would be views of other mailboxes."""


@frozen(kw_only=True)
class Folder:
    """One mailbox as one account sees it, as of one moment.

    Args:
        name: as this account sees it.
        owner: the id of the account that has it.
        rights: letters of `OWNER_RIGHTS` (RFC 4314 §2.1); those of the owner are all of them.
        has_children: there is a mailbox below it that this account may list.
        exists: False for a level that is there only because something is below it, and for a subscription to what
            is gone; `id` and all numbers are 0 then.
        seen, deleted: how many messages have the flag; `seen` is the account's own view where it has one.
        recent: the first UID that no session was told of.
        keywords: as `IMessages.keywords` gives them, if they were looked up with it; else None.
    """

    id: int
    owner: int
    name: str
    exists: bool = True
    rights: str = OWNER_RIGHTS
    uidvalidity: int = 0
    uidnext: int = 1
    highestmodseq: int = 1
    messages: int = 0
    octets: int = 0
    seen: int = 0
    deleted: int = 0
    deleted_octets: int = 0
    recent: int = 1
    special_use: str | None = None
    subscribed: bool = False
    has_children: bool = False
    shared: bool = False
    keywords: Sequence[str] | None = None

    @property
    def unseen(self) -> int:
        """Messages without \\Seen."""
        return self.messages - self.seen

    def reader(self, account_id: int) -> int | None:
        """The account, if its \\Seen is its own here, as `IMessages` takes it."""
        return None if account_id == self.owner else account_id


@frozen(kw_only=True)
class QuotaRoot:
    """A quota root (RFC 9208 §3): what it is called, and used and limit of each resource, None for no limit.

    STORAGE is in octets here; the wire has units of 1024 (§5.1). `limits` leaves out what is not limited.
    """

    name: str
    used: Mapping[str, int]
    limits: Mapping[str, int]


class IFolders(Interface):
    """Mailboxes by name. Names are checked: `BadName` for one that cannot be.

    What an account may not see is not there for it: `NoSuchMailbox`, never `NoRight`, unless it has the right l
    (RFC 4314 §6). Every change is one unit, and its rights are checked within that unit.
    """

    def folder(account: Account, name: str, *, keywords: bool = False) -> Awaitable[Folder | None]:
        """One mailbox that the account may see (any right at all); one bounded read, for SELECT and the like.

        `keywords`: they are wanted, too, and may come with it.
        """

    def folders(account: Account, *, pattern: str | None = None) -> Awaitable[Sequence[Folder]]:
        """All mailboxes that the account may list (right l), levels above them included, by name; INBOX first.

        `pattern`: a literal beginning that all names asked for have, to spare looking at the rest.
        """

    def subscribed(account: Account) -> Awaitable[Sequence[str]]:
        """The names subscribed to, whether they exist or not, by name."""

    def subscribe(account: Account, name: str, on: bool) -> Awaitable[None]:
        """SUBSCRIBE, UNSUBSCRIBE. Subscribing to what does not exist: `NoSuchMailbox`."""

    def create(account: Account, name: str, *, special_use: str | None = None) -> Awaitable[Folder]:
        """CREATE, levels above included (RFC 9051 §6.3.4).

        Raises `MailboxExists`, `NoRight`, `NotPermitted` (imap-create), `LimitReached`.
        A new mailbox has the rights of the one above it (RFC 4314 §3).
        """

    def rename(account: Account, name: str, to: str) -> Awaitable[None]:
        """RENAME with everything below; INBOX: its messages move to a new mailbox (RFC 9051 §6.3.6)."""

    def delete(account: Account, name: str) -> Awaitable[None]:
        """DELETE (RFC 9051 §6.3.5); what is below stays. INBOX cannot be. Large ones are emptied in later units."""

    def set_special_use(account: Account, name: str, special_use: str | None) -> Awaitable[None]:
        """Give or take a special use (RFC 6154)."""

    def by_id(account: Account, mailbox_id: int) -> Awaitable[Folder | None]:
        """A mailbox by its id as this account sees it now (it may have another name), None if it does not."""

    # --- rights (RFC 4314) ---

    def rights_of(account: Account, name: str) -> Awaitable[Mapping[str, str]]:
        """GETACL: rights by identifier, the owner's first. Needs the right a."""

    def set_rights(account: Account, name: str, identifier: str, rights: str, how: str) -> Awaitable[None]:
        """SETACL with how "=", "+" or "-"; DELETEACL with rights "" and "=".

        Needs the right a. The owner keeps l and a (RFC 4314 §2.1).
        """

    # --- annotations (RFC 5464) ---

    def annotations(
        account: Account, name: str, entries: Sequence[str], *, depth: int | None = 0
    ) -> Awaitable[Mapping[str, bytes]]:
        """GETMETADATA: values by entry; name "" is the server. depth None is infinity."""

    def annotate(account: Account, name: str, values: Mapping[str, bytes | None]) -> Awaitable[None]:
        """SETMETADATA: None removes. Raises `TooManyAnnotations`, `AnnotationTooLarge`, `NoRight`."""

    # --- quota (RFC 9208) ---

    def quota_roots(account: Account, name: str) -> Awaitable[Sequence[QuotaRoot]]:
        """The roots that a mailbox counts in: its account's, then its domain's if that has a quota."""

    def quota_root(account: Account, root: str) -> Awaitable[QuotaRoot | None]:
        """One root that this account may see."""

    # --- URLAUTH (RFC 4467) ---

    def url_key(account: Account, name: str, *, make: bool) -> Awaitable[bytes | None]:
        """The account's mailbox access key of this mailbox; `make` one if there is none."""

    def reset_url_keys(account: Account, name: str | None) -> Awaitable[None]:
        """RESETKEY: forget the key of one mailbox, or of all."""

    # --- delivery ---

    def delivery_folder(account_id: int, tag: str, sender: Address | None) -> Awaitable[str | None]:
        """The mailbox that mail for account+tag goes to: one of this name (its case apart) whose ACL lets
        "anyone" (or the signed-in sender) post (right p); None otherwise."""
