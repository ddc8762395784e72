"""The mailbox that a session has selected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from worldmail.interfaces.folders import Folder
from worldmail.interfaces.messages import Alike, Changed, FlagsChanged, IMessages, Marked, Uids
from worldmail.interfaces.world import Aside
from worldmail.mail.mime.part import Part
from worldmail.protocols.imap.replies import AccountChanged
from worldmail.protocols.imap.view import untagged
from worldmail.protocols.imap.view.applicable import flag_lines
from worldmail.protocols.imap.view.untagged import Style, style_of
from worldmail.protocols.imap.view.view import View
from worldmail.wire.ready import Ready

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


class MailboxLost(AccountChanged):
    """The selected mailbox is gone, or cannot be told of truly any more: the session ends with BYE (RFC 2180 §3.1)."""

    text = "The selected mailbox is gone"


@define(kw_only=True, eq=False)
class Selected:
    """A mailbox under SELECT or EXAMINE.

    Args:
        folder: as it was when it was selected; `rights` as they were last looked at.
        read_only: nothing may be changed.
        reader: as `Folder.reader` says.
        messages: the store.
        view: what the client was told.
        aside: does what takes long in a thread.
        forget: ends the watch over the mailbox's changes.

    Attributes:
        told_recent: messages that arrived were told as \\Recent.
        moved: an INBOX may have been renamed.
        keywords: those that the client was told of.
        reflag: the client has to be told again which flags it may change.
        whole: while what was expunged is withheld, the MODSEQ up to which all was told; else None.
        trees: the parts of some large messages, by UID: what was found once is not looked for again.
        contents: content ids by UID, of those that were looked up.
        rekeyed: a key for the mailbox's URLs was forgotten, of which the client is to be told (RFC 4467 §7, RESETKEY).
    """

    folder: Folder
    read_only: bool
    reader: int | None
    messages: IMessages
    view: View
    aside: Aside = field(default=lambda work: Ready(work()))
    forget: Callable[[], None] = field(default=lambda: None)
    told_recent: bool = field(default=False, init=False)
    moved: bool = field(default=False, init=False)
    keywords: frozenset[str] = field(default=frozenset(), init=False)
    reflag: bool = field(default=False, init=False)
    whole: int | None = field(default=None, init=False)
    trees: dict[int, Part] = field(factory=dict, init=False)
    contents: dict[int, int] = field(factory=dict, init=False)
    rekeyed: bool = field(default=False, init=False)

    @property
    def id(self) -> int:
        """The mailbox's id."""
        return self.folder.id

    @property
    def dirty(self) -> bool:
        """There may be something to tell."""
        return self.view.dirty or self.moved or bool(self.view.pending)

    @property
    def told_modseq(self) -> int:
        """Up to this one all changes were told."""
        return self.view.modseq if self.whole is None else self.whole

    def touch(self) -> None:
        """Something may have changed."""
        self.view.dirty = True

    def may(self, right: str) -> bool:
        """Does the account have this right here, and may it use it (RFC 4314 §2.1)?"""
        return not self.read_only and right in self.folder.rights

    def release(self) -> None:
        """It is not selected any more."""
        self.forget()
        self.forget = _nothing

    async def leave(self) -> None:
        """The client leaves it: the messages of which it was told are \\Recent in no other session."""
        if self.told_recent and not self.read_only:
            await self.messages.take_recent(self.id)

    # --- loading ---

    async def load_last(self, count: int) -> None:
        """Have the last `count` messages loaded."""
        missing = count - len(self.view.uids)
        if missing > 0:
            await self._load(count=missing, first_uid=1)

    async def load_from(self, uid: int) -> None:
        """Have all messages from this UID on loaded."""
        if uid < self.view.first_uid and self.view.before:
            await self._load(count=None, first_uid=uid)

    async def load_numbers(self, numbers: Uids) -> None:
        """Have the messages with these sequence numbers loaded, the lowest first in the set."""
        if numbers:
            await self.load_last(self.view.total - numbers[0][0] + 1)

    async def load_uids(self, uids: Uids) -> None:
        """Have the messages with these UIDs loaded, the lowest first in the set."""
        if uids:
            await self.load_from(uids[0][0])

    async def load_recent(self, most: int) -> None:
        """Have the messages loaded that are \\Recent; no more of them are than so many."""
        view = self.view
        if view.first_recent < view.uidnext:
            await self._load(count=most, first_uid=view.first_recent)
            if len(view.uids) >= most:
                view.first_recent = view.uids[0]

    async def _load(self, *, count: int | None, first_uid: int) -> None:
        view = self.view
        below = view.first_uid
        rows = await self.messages.tail(self.id, below=below, count=count, first_uid=first_uid, reader=self.reader)
        # What was removed since was in the view: looked at after the rows, so that nothing slips between.
        changed = await self._changed()
        start = first_uid if count is None or len(rows) < count else rows[0].uid
        gone = {uid for uid in (*view.pending, *changed.expunged) if start <= uid < below}
        view.prepend(rows, gone)
        if view.before < 0 or (start == 1 and view.before):
            raise MailboxLost
        if changed.highestmodseq != view.modseq:
            view.dirty = True

    async def _ahead(self, uids: Sequence[int]) -> dict[int, int]:
        """How many messages of the view are before each of these, which are ascending and before the suffix."""
        if not uids:
            return {}
        counts = await self.messages.below(self.id, uids, since=self.view.modseq)
        if counts is None:
            raise MailboxLost
        gone = sorted(self.view.pending)
        return {uid: count + bisect_left(gone, uid) for uid, count in zip(uids, counts, strict=True)}

    async def _changed(self) -> Changed:
        view = self.view
        changed = await self.messages.changes(self.id, since=view.modseq, uidnext=view.uidnext, reader=self.reader)
        if changed is None:
            raise MailboxLost
        return changed

    # --- telling ---

    async def sync(self, session: Session, *, expunges: bool) -> Sequence[bytes]:
        """What happened since the client was told last, as untagged data; what was expunged only if that may be.

        Raises: `MailboxLost`.
        """
        if self.moved:
            await self._look_at_name(session)
        if self.view.dirty:
            await self.look_at_rights(session)
        return await self.pull(style_of(session.enabled), expunges=expunges)

    async def _look_at_name(self, session: Session) -> None:
        """What was INBOX is not any more, once it was renamed (RFC 9051 §6.3.6). Raises: `MailboxLost`."""
        folder = await session.world.folders.by_id(session.user, self.id)
        if folder is None or folder.name != self.folder.name:
            raise MailboxLost
        self.moved = False

    async def look_at_rights(self, session: Session) -> None:
        """Those of others than the owner may have been changed (RFC 4314 §3): what is true now counts from now on.

        Raises: `MailboxLost` if the account may not read here any more.
        """
        if self.reader is None:
            return
        folder = await session.world.folders.by_id(session.user, self.id)
        if folder is None or "r" not in folder.rights:
            raise MailboxLost
        self.reflag = self.reflag or folder.rights != self.folder.rights
        self.folder = evolve(self.folder, rights=folder.rights)

    async def pull(self, style: Style, *, expunges: bool) -> list[bytes]:
        """As `sync`, told in this style."""
        view = self.view
        changed, ahead = await self._pulled(style, expunges=expunges)
        withheld = bool(view.pending)
        # From here on nothing waits and nothing fails: what the view has learnt is told.
        if changed is not None:
            if self.whole is None:
                self.whole = view.modseq
            view.pending.update(uid for uid in changed.expunged if uid < view.uidnext)
            view.modseq = changed.highestmodseq
        gone = sorted(view.pending) if expunges else []
        lines = untagged.expunged(view, gone, ahead, style)
        view.remove(gone)
        view.pending.difference_update(gone)
        lines += self.tell_flags(() if changed is None else chain(changed.arrived, changed.changed))
        if changed is not None:
            first_uid = view.first_uid
            lines += self._tell_arrived(changed, style)
            before = [(ahead[row.uid] - bisect_left(gone, row.uid), row) for row in changed.changed if row.uid in ahead]
            lines += untagged.marked(view, before, style)
            known = [row for row in changed.changed if row.uid >= first_uid]
            lines += untagged.flags(view, view.take(known, newer=style.modseq), style)
            view.untold.clear()
        if self.rekeyed:
            self.rekeyed = False
            lines.append(untagged.URL_MECHANISMS)
        return lines + self._tell_highest(style, withheld=withheld)

    def tell_flags(self, rows: Iterable[Marked | Alike]) -> list[bytes]:
        """Which flags there are, if it is not as it was: these rows have new keywords, or rights are others."""
        sets = {row.keywords for row in rows if row.keywords}
        new = {name for keywords in sets for name in keywords.split(" ")} - self.keywords
        if not (new or self.reflag):
            return []
        self.keywords, self.reflag = self.keywords | new, False
        return flag_lines(self.keywords, self.may)

    async def _pulled(self, style: Style, *, expunges: bool) -> tuple[Changed | None, dict[int, int]]:
        """What happened, if anything may have, and how many messages are before those that are not loaded."""
        view = self.view
        dirty, view.dirty = view.dirty, False  # a notice that comes while we ask is not lost
        try:
            changed = await self._changed() if dirty else None
            numbered = set(view.pending) if expunges and not style.vanished else set()
            if changed is not None:
                if expunges and not style.vanished:
                    numbered.update(changed.expunged)
                numbered.update(row.uid for row in changed.changed)
            return changed, await self._ahead(sorted(uid for uid in numbered if uid < view.first_uid))
        except BaseException:
            view.dirty = True
            raise

    def _tell_highest(self, style: Style, *, withheld: bool) -> list[bytes]:
        """From where a client has to begin again to which MODSEQs were told, but not all that went before them.

        (RFC 7162 §3.2, §6.) A client of which nothing is withheld takes the highest of those that it was told.
        `withheld`: something was until now.
        """
        if not self.view.pending:
            self.whole = None
        return self.tell_whole(style) if withheld or self.view.pending else []

    def tell_whole(self, style: Style) -> list[bytes]:
        """Up to which MODSEQ all was told, whatever the client was told of higher ones."""
        return [untagged.highest_modseq(self.told_modseq)] if style.resynchronises else []

    def _tell_arrived(self, changed: Changed, style: Style) -> list[bytes]:
        view = self.view
        lines = []
        view.uidnext = changed.uidnext
        if changed.arrived:
            view.append(changed.arrived)
            lines.append(untagged.exists(view.total))
            if style.recent:
                self.told_recent = True
                lines.append(untagged.recent(view))
        if view.total - len(view.pending) != changed.messages:
            raise MailboxLost
        return lines

    async def tell_rows(self, rows: Sequence[Marked], style: Style) -> list[bytes]:
        """The flags of these messages, whether they are loaded or not."""
        view = self.view
        ahead = await self._ahead([row.uid for row in rows if row.uid < view.first_uid])
        lines = untagged.marked(view, [(ahead[row.uid], row) for row in rows if row.uid in ahead], style)
        known = [row for row in rows if row.uid not in ahead]
        view.take(known)
        return lines + untagged.flags(view, view.places(row.uid for row in known), style)

    def learn(self, done: FlagsChanged) -> None:
        """Take over what this session changed itself."""
        view = self.view
        if done.previous == view.modseq:
            view.modseq = done.modseq  # nobody else changed anything since
        else:
            view.dirty = True
        view.know(done.now)


def _nothing() -> None:
    pass
