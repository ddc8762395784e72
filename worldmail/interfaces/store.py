"""Mailboxes, messages and their content."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from typing import Any

from attrs import Factory, field, frozen
from zope.interface import Attribute, Interface

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.outbound import IOutgoingContent, Wishes
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient


@frozen(kw_only=True)
class StagedContent:
    """Content that is safe to refer to: the octets in memory (`inline`), or synced at `place` in a content store.

    `digest` is the SHA-256 of the `size` octets; lines end in CRLF unless `binary`. `told`: how many octets it has as
    everybody gets it who takes lines alone, in whose form binary parts are in base64.
    """

    digest: bytes
    size: int
    inline: bytes | None
    place: str | None
    binary: bool = False
    told: int = field(default=Factory(lambda staged: staged.size, takes_self=True))


@frozen(kw_only=True)
class KeptContent:
    """Content that the store has already, by the id of its row; `told` as of `StagedContent`."""

    id: int
    size: int
    told: int


class IContentWriter(Interface):
    """Takes one message's octets while they arrive."""

    size = Attribute("int: octets taken so far")

    def may_be_binary() -> None:
        """What comes may hold NUL, and lines that end in other ways than CRLF. Said before the first octet or never."""

    def write(data: bytes) -> None:
        """Take the next octets. Memory is bounded: beyond the inline limit they go to the content store."""

    def behind() -> bool:
        """True if the writer wants the source to wait; then await `caught_up`."""

    def caught_up() -> Awaitable[None]:
        """Done when more may be written. Raises `StorageFull`, `TemporaryFailure`."""

    def finish(prepend: bytes = b"") -> Awaitable[StagedContent]:
        """All octets are here; done when they are durable wherever they are (inline: at once).

        `prepend` goes in front of everything (labels that only the whole body could tell).
        Raises `StorageFull`, `TemporaryFailure`; nothing is left behind then.
        """

    def abort() -> None:
        """Forget it all. Harmless after `finish` or a second time."""


class IContentStore(Interface):
    """Where large content lives: files in a directory, objects in a bucket. A plugin.

    Places are unique for ever (random names, not digests), so that removal cannot race a new arrival.
    """

    name = Attribute("str: the value of [store] content that selects it")

    def create() -> IPlaceWriter:
        """A writer for one new place."""

    def read(place: str, offset: int, length: int) -> Awaitable[bytes]:
        """Octets [offset, offset+length), fewer only at the end. Raises `TemporaryFailure` if it cannot be had now."""

    def remove(place: str) -> Awaitable[None]:
        """Remove it; no error if it is gone."""

    def places(older_than: int) -> Awaitable[list[str]]:
        """Places (whole or unfinished) last written before this time (epoch seconds), for the collector."""


class IPlaceWriter(Interface):
    """Writes one place. Calls do not block the reactor."""

    def write(data: bytes) -> Awaitable[None]:
        """Append; done when the writer can take more. One at a time."""

    def finish() -> Awaitable[str]:
        """Sync it under its final name (and the name itself); the place."""

    def abort() -> Awaitable[None]:
        """Remove what was written."""


@frozen(kw_only=True)
class MailboxStatus:
    """One mailbox as of one moment. `octets` is the sum of the messages' sizes, prefix and content."""

    id: int
    account_id: int
    name: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    messages: int
    octets: int
    special_use: str | None


@frozen(kw_only=True)
class MessageRow:
    """One message of a mailbox, as it came: it never changes.

    `size` is len(prefix) + what of the content is told: the octets a client gets, CRLF line ends. `arrived` is the
    MODSEQ that it came with.
    """

    uid: int
    content_id: int
    prefix: bytes
    size: int
    received: int
    arrived: int


class IMailboxStore(Interface):
    """Mailboxes and the messages in them."""

    def status(account_id: int, name: str) -> Awaitable[MailboxStatus | None]:
        """A mailbox by owner and name; one indexed read."""

    def mailboxes(account_id: int) -> Awaitable[list[MailboxStatus]]:
        """All mailboxes of an account by name."""

    def messages(mailbox_id: int, first_uid: int = 1) -> Awaitable[list[MessageRow]]:
        """The messages with UID >= first_uid in the order of their UIDs."""

    def expunged_since(mailbox_id: int, modseq: int) -> Awaitable[list[int]]:
        """UIDs expunged with MODSEQ > modseq (RFC 7162 §3.2.5.1)."""

    def content(message: MessageRow) -> AsyncIterator[bytes]:
        """The octets of prefix and content in chunks of bounded size; binary content as it came."""

    def expunge(mailbox_id: int, uids: Collection[int]) -> Awaitable[frozenset[int]]:
        """Remove these messages in one unit; those that were there. Works on a full disk."""

    def lock_maildrop(account_id: int) -> Awaitable[IMaildropLock | None]:
        """As `IMaildropLocks.lock`."""


class IMaildropLocks(Interface):
    """The exclusive rights to maildrops, over all processes and machines on one store (RFC 1939 §4)."""

    def lock(account_id: int) -> Awaitable[IMaildropLock | None]:
        """The right to an account's maildrop; None if another session has it. Raises `TemporaryFailure`.

        One that was released before the call, in this process, is free again.
        """


class IMaildropLock(Interface):
    """A held maildrop. Dies with its process."""

    def held() -> bool:
        """False once it was released, or lost: another session may have the maildrop. Cheap."""

    def release() -> Awaitable[None]:
        """Give it back: to this process at once, to every other before this fires. Harmless a second time."""


class ILeaseLock(IMaildropLock):
    """A lock whose holder works on through a doubt: where it hangs on a session, that may be lost and come back."""

    interruptions = Attribute("int: how often it was in doubt and came back: then another may have had it meanwhile")

    def lost() -> bool:
        """It does not come back: it was released, or another has it. While neither, and not held, it is in doubt."""


class ILeaseLocks(IMaildropLocks):
    """The same for numbers of any kind, where a lock tells who lives (`worldmail.queue.registration`)."""

    patience = Attribute("float: seconds that a lock must have been free before its holder is taken for dead")

    def lock(account_id: int) -> Awaitable[ILeaseLock | None]:
        """The lock of a number; None if it is held. Raises `TemporaryFailure`."""

    def free(numbers: Sequence[int]) -> Awaitable[list[int]]:
        """Those of these (not our own) that nobody holds now; none is taken. Cheap. Raises `TemporaryFailure`."""


@frozen(kw_only=True)
class Onward:
    """One recipient that the message goes on to: an address, with what DSN wishes are left for it.

    `not_before` is the moment (epoch seconds) until which its sender wants it held (RFC 4865), 0 for none. `here`: it
    leads to mailboxes of ours, and goes through the queue only because of that. `wakes`: it leads nowhere, the message
    releases a hold.
    """

    recipient: Recipient
    not_before: int = 0
    here: bool = False
    wakes: bool = False


@frozen(kw_only=True)
class Handover:
    """What tells that a message is one that was handed over before: the relay that does it, and its own id of it."""

    relay: str
    message: str


@frozen(kw_only=True)
class Acceptance:
    """A whole message on its way into the store: who, for whom, what, from where.

    `id` is the acceptance id that Received, the trace and the log share. `deliveries` has each
    account once; the store puts Return-Path and the delivery's own Delivered-To before the content in each mailbox.
    `unrepeatable` content holds what no other can, such as the id in our Received field: the same octets need not be
    looked for among what is there. `onward` is for the queue; `report` says that the message is itself a report
    about delivery, about which nobody is told, and `about` is then the id of the message that it is on. `event` is the
    trace's word for what happens. With a `handover` the envelope's recipients are remembered by it, and a message that
    one of them has by the same is not accepted.
    """

    id: str
    received: int
    envelope: Envelope
    origin: Origin
    content: StagedContent | KeptContent
    deliveries: tuple[Delivery, ...]
    message_id: str | None
    unrepeatable: bool = False
    onward: tuple[Onward, ...] = ()
    wishes: Wishes = Wishes()
    report: bool = False
    about: str | None = None
    event: str = "accepted"
    handover: Handover | None = None


class IAcceptancePart(Interface):
    """An acceptance as a part of a larger unit of work, for one who does more in the same commit."""

    def write(cursor: Cursor) -> Any:
        """Write it. May be called again, as units are; what it gives is for `accepted`.

        Raises `OverQuota`, `RecipientGone`, `TakenElsewhere`, `TemporaryFailure`: the whole unit has failed then.
        """

    def accepted(result: Any) -> None:
        """The unit is on disk; `result` is what `write` gave."""

    def dropped(refused: bool) -> Awaitable[None]:
        """The unit failed. `refused`: the part gave up by itself, so that nothing of it can be on the disk."""


class IAcceptance(Interface):
    """Accepting a message is one transaction: content, mailbox rows, queue rows, trace."""

    onward = Attribute("IOnward | None: takes what goes on from here; set once, by who assembles the server")

    def new_id() -> str:
        """A new acceptance id: 16 characters, unique over processes, ordered by time."""

    def check_room(size: int) -> None:
        """Raise `StorageFull` if there is no room for a message of this size; cheap, for MAIL (RFC 1870 §6.1)."""

    def writer() -> IContentWriter:
        """A writer for the content of one message."""

    def accept(acceptance: Acceptance) -> Awaitable[None]:
        """Done when all of it is on disk.

        Raises (nothing was stored then): `OverQuota`, `RecipientGone` (one of the accounts is), `TakenElsewhere`,
        `TemporaryFailure`, `StorageFull`.
        """

    def arrived(handover: Handover) -> Awaitable[frozenset[str]]:
        """Recipients, as the relay names them, that have this message. One indexed read. Raises `TemporaryFailure`."""

    def part(acceptance: Acceptance) -> IAcceptancePart:
        """The same as a part of a unit that the caller writes; it looks for room itself (`check_room`)."""

    def outgoing(content_id: int) -> Awaitable[IOutgoingContent]:
        """Stored content on its way out. This and reading it raises `TemporaryFailure` if it cannot be had now."""


class IAccountParticipant(Interface):
    """A room that keeps rows for each account and is asked within the units that make or remove one."""

    def account_added(cursor: Cursor, account_id: int) -> None:
        """Add what belongs to a new account (the store: INBOX, Sent, Drafts, Trash, Junk)."""

    def account_closed(cursor: Cursor, account_id: int) -> None:
        """The account is about to be removed: from this unit on nothing may come to what belongs to it."""

    def account_removed(cursor: Cursor, account_id: int) -> bool:
        """Remove what belongs to it, at most so much that the unit stays short; True once nothing is left.

        Called again in a later unit until it says True, perhaps by another process.
        """


@frozen(kw_only=True)
class TraceRecord:
    """What happened to a message: one event, as it is kept. `detail` is a JSON object."""

    acceptance: str
    at: int
    event: str
    detail: str


class ITrace(Interface):
    """What happened to which message, when, by whom."""

    def record(cursor: Cursor, acceptance: str, at: int, event: str, keys: Sequence[str], detail: str) -> None:
        """Add one event inside a unit. `keys` are the addresses and the Message-ID it can be found by."""

    def find(key: str, most: int = 10_000) -> Awaitable[list[TraceRecord]]:
        """All events of the messages known by this acceptance id, address or Message-ID, oldest first.

        "<>" finds those without a sender. Of very many messages the latest, `most` of them; with each come the reports
        on it (`Acceptance.about`), which count with it.
        """
