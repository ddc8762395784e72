"""The messages of a mailbox, as IMAP works with them: flags, copies, changes since a moment.

Sets of UIDs are `Uids`: closed ranges, ascending and apart from each other, clipped to what can be there; never
expanded into single numbers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from enum import IntFlag
from typing import Literal, NamedTuple

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.store import StagedContent

Uids = Sequence[tuple[int, int]]
"""Closed ranges of UIDs (or of sequence numbers)."""


class Flag(IntFlag):
    """The system flags as they are kept (RFC 9051 §2.3.2). \\Recent is none of them: it is a session's own."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


class Marked(NamedTuple):
    """A message's changing part. `keywords` are separated by spaces, None for none; `flags` is a set of `Flag`."""

    uid: int
    flags: int
    keywords: str | None
    modseq: int


class Alike(NamedTuple):
    """Messages whose changing parts are alike: those that are there with `first` <= UID <= `last`.

    `modseq` 0 stands for the one that each of them arrived with: their flags were never changed.
    """

    first: int
    last: int
    flags: int
    keywords: str | None
    modseq: int


class Stored(NamedTuple):
    """A message's lasting part. `size` counts prefix and content; `received` is INTERNALDATE, `saved` SAVEDATE."""

    uid: int
    content_id: int
    size: int
    received: int
    saved: int


Place = tuple[int, int]
"""Among the changes of a mailbox, in their order: a MODSEQ and a UID."""


@frozen(kw_only=True)
class Changed:
    """What happened in a mailbox after a MODSEQ, as of one moment.

    Args:
        highestmodseq, uidnext, messages: the mailbox now.
        came: how many messages are new.
        arrived: those, by UID; of very many only the last ones. They are not in `changed`.
        changed: older messages whose flags changed, by UID; of very many the first ones in the order of the changes.
        further: where `IMessages.changed` goes on with the others.
        expunged: UIDs that went and were told of, ascending.
    """

    highestmodseq: int
    uidnext: int
    messages: int
    came: int
    arrived: Sequence[Marked]
    changed: Sequence[Alike]
    further: Place | None
    expunged: Sequence[int]


@frozen(kw_only=True)
class Removed:
    """Messages that went after a MODSEQ, ascending, as of one moment; `highestmodseq` is the mailbox's then."""

    highestmodseq: int
    uids: Sequence[int]


@frozen(kw_only=True)
class FlagChange:
    """What STORE asks for (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

    Args:
        how: add these, remove these, or have exactly these.
        flags: a set of `Flag`.
        keywords: as the client spelled them; the mailbox's spelling is what is kept.
        unchanged_since: messages with a higher MODSEQ are left alone.
        allowed: the flags that may be changed, for accounts without all rights (RFC 4314 §4); `keywords_allowed` alike.
        reader: an account whose \\Seen is its own in this mailbox (it is not the owner), None for the owner.
    """

    how: Literal["add", "remove", "replace"]
    flags: int = 0
    keywords: tuple[str, ...] = ()
    unchanged_since: int | None = None
    allowed: int = 31
    keywords_allowed: bool = True
    reader: int | None = None


@frozen(kw_only=True)
class There:
    """Of the messages that somebody asks for those that were there when `modseq` was the mailbox's highest one.

    Who says so spares a look at each of them, as long as nothing happened since. `uids` are ascending.
    """

    modseq: int
    uids: Sequence[int]


@frozen(kw_only=True)
class FlagsChanged:
    """What became of a `FlagChange`.

    Args:
        modseq: the MODSEQ of what was changed; the mailbox's highest one if nothing was.
        previous: the mailbox's highest MODSEQ before: if a session knows this one, it missed nothing.
        uids: the messages asked for that are there, ascending; without those of `modified`.
        now: what those are now, changed or not. Other messages than those asked for are not meant, whatever their UIDs.
        modified: UIDs that failed UNCHANGEDSINCE.
    """

    modseq: int
    previous: int
    uids: Sequence[int]
    now: Sequence[Alike]
    modified: Sequence[int]


@frozen(kw_only=True)
class Copied:
    """What COPY or MOVE did: `source` and `target` are UIDs in corresponding order (RFC 4315 §3)."""

    uidvalidity: int
    source: Uids
    target: Uids


@frozen(kw_only=True)
class Appending:
    """One message to append.

    `received` None means now; lines end in CRLF unless the content is binary. `reader` is who appends: if that is not
    the owner, its \\Seen is its own; None for the owner.
    """

    content: StagedContent
    flags: int = 0
    keywords: tuple[str, ...] = ()
    received: int | None = None
    reader: int | None = None


@frozen(kw_only=True)
class Appended:
    """Where messages were appended, and their UIDs, ascending."""

    mailbox_id: int
    uidvalidity: int
    uids: Uids


class IMessages(Interface):
    """Messages by mailbox id. What happens to several messages happens in one unit.

    All that change something raise `NoSuchMailbox` if the mailbox is gone, `OverQuota`, `TemporaryFailure`,
    `StorageFull`; removals work on a full disk.
    """

    def tail(
        mailbox_id: int, *, below: int, count: int | None = None, first_uid: int = 1, reader: int | None = None
    ) -> Awaitable[Sequence[Marked]]:
        """Messages with first_uid <= UID < below, ascending; with `count`, the last so many of them."""

    def changes(mailbox_id: int, *, since: int, uidnext: int, reader: int | None = None) -> Awaitable[Changed | None]:
        """What happened after MODSEQ `since`, for a session that was told of all UIDs below `uidnext`.

        None if the mailbox is gone, or `since` is so long ago that not all that was expunged is remembered.
        Costs what it tells, not what the mailbox holds.
        """

    def changed(
        mailbox_id: int, *, after: Place, upto: int, below: int, reader: int | None = None
    ) -> Awaitable[tuple[Sequence[Alike], Place | None]]:
        """Messages with a UID < below whose last change of flags was behind a place, with a MODSEQ up to `upto`.

        A bounded number of those, and where to go on; None if that is all. What is changed meanwhile is left out.
        """

    def removed(mailbox_id: int, *, since: int, first_uid: int, below: int) -> Awaitable[Removed | None]:
        """Messages with first_uid <= UID < below that went after MODSEQ `since`. None where `changes` is None."""

    def since(
        mailbox_id: int, *, modseq: int, uids: Uids, reader: int | None = None, limit: int | None = None
    ) -> Awaitable[Sequence[Marked]]:
        """Messages among `uids` with a MODSEQ > modseq, by UID: CHANGEDSINCE (RFC 7162 §3.1.4.1) and QRESYNC.

        With `limit`, the first so many of them.
        """

    def vanished(mailbox_id: int, *, modseq: int, uids: Uids) -> Awaitable[Uids]:
        """UIDs among `uids` that were expunged after `modseq` (RFC 7162 §3.2.5.1).

        If that is longer ago than is remembered: all UIDs among `uids` that are not there.
        """

    def stored(mailbox_id: int, uids: Uids, *, limit: int = 1000) -> Awaitable[Sequence[Stored]]:
        """The lasting parts of up to `limit` of these messages, by UID."""

    def existing(mailbox_id: int, uids: Uids) -> Awaitable[Uids]:
        """Which of these are there."""

    def below(
        mailbox_id: int, uids: Sequence[int], *, since: int, first_uid: int = 1
    ) -> Awaitable[Sequence[int] | None]:
        """How many messages with first_uid <= UID < each of these (ascending) there were at MODSEQ `since`.

        None where `changes` is None. Counted in one look: what is removed meanwhile is not counted twice.
        """

    def octets(
        mailbox_id: int, uids: Uids, *, limit: int = 256
    ) -> Awaitable[Sequence[tuple[int, int, bytes | None, bool]]]:
        """(UID, size, all octets or None if they are not in the database, may they be binary?) of these, by UID.

        Of up to `limit` of them. What may not be binary has no NUL, nor a header that says so: BODY[...] gives it as
        it is.
        Ends sooner, after at least one, once there are about as many octets as memory should hold.
        """

    def contents(mailbox_id: int, uids: Uids) -> Awaitable[Sequence[tuple[int, int]]]:
        """(UID, content id) of these, by UID: what `stored` tells, for those who look at thousands."""

    def prefixes(mailbox_id: int, uids: Uids) -> Awaitable[Sequence[tuple[int, bytes]]]:
        """(UID, what stands before the content in this mailbox: header fields, or nothing) of these, by UID."""

    def read(mailbox_id: int, uid: int, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The octets of prefix and content from an offset on, in chunks of bounded size.

        Raises `MessageGone`. Binary content comes as it was given.
        """

    def change_flags(
        mailbox_id: int, uids: Uids, change: FlagChange, there: There | None = None
    ) -> Awaitable[FlagsChanged]:
        """Change flags in one unit, under one new MODSEQ. `there`: what the caller knows of these UIDs."""

    def append(mailbox_id: int, messages: Sequence[Appending]) -> Awaitable[Appended]:
        """Add messages, all or none, with consecutive UIDs."""

    def append_own(account_id: int, name: str, messages: Sequence[Appending]) -> Awaitable[Appended]:
        """As `append`, into that mailbox of its own which the account calls so: it is looked up by what adds."""

    def copy(mailbox_id: int, uids: Uids, target_id: int, *, flags: FlagChange | None = None) -> Awaitable[Copied]:
        """Copy with flags, received and save date of now (RFC 9051 §6.4.7, RFC 8514 §4.1).

        `flags` says which of them may be set at the target (`allowed`, `keywords_allowed`) and who asks (`reader`,
        an account's id; None for the owner of both): in a mailbox that is not its own, its \\Seen is its own.
        """

    def move(mailbox_id: int, uids: Uids, target_id: int, *, flags: FlagChange | None = None) -> Awaitable[Copied]:
        """Copy and expunge in one unit (RFC 6851)."""

    def expunge(mailbox_id: int, uids: Uids, *, deleted_only: bool) -> Awaitable[Uids]:
        """Remove those that are there (`deleted_only`: and have \\Deleted); those that went."""

    def replace(mailbox_id: int, uid: int, target_id: int, message: Appending) -> Awaitable[Appended]:
        """Append and expunge in one unit (RFC 8508). Raises `MessageGone`."""

    def keywords(mailbox_id: int) -> Awaitable[Sequence[str]]:
        """The keywords that the mailbox knows, in its spelling: those of the FLAGS response (RFC 9051 §7.3.5)."""

    def take_recent(mailbox_id: int) -> Awaitable[int]:
        """The first UID that no session was told of as \\Recent (RFC 3501 §2.3.2).

        From now on all below UIDNEXT are taken as told.
        """

    def first_unseen(mailbox_id: int, *, reader: int | None = None) -> Awaitable[tuple[int, int] | None]:
        """Sequence number and UID of the first message without \\Seen.

        None if there is none, or it would take too long to find.
        """
