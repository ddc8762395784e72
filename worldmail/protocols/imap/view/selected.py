"""The mailbox that a session has selected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from worldmail.interfaces.messages import Alike, FlagsChanged, Marked
from worldmail.interfaces.world import Aside
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.surrogates import Patches
from worldmail.protocols.imap.view import untagged
from worldmail.protocols.imap.view.applicable import flag_lines
from worldmail.protocols.imap.view.loading import Loading, MailboxLost
from worldmail.protocols.imap.view.recents import Recents
from worldmail.protocols.imap.view.rest import Rest, spread
from worldmail.protocols.imap.view.untagged import Style, style_of
from worldmail.wire.ready import Ready

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


TOLD_AT_ONCE = 2000
"""Messages of which something is told in one go: a few milliseconds."""


@define(kw_only=True, eq=False)
class Selected(Loading):
    """A mailbox under SELECT or EXAMINE.

    Args:
        read_only: nothing may be changed.
        aside: does what takes long in a thread.
        forget: ends the watch over the mailbox's changes.
        recents: which session is told of what arrives as \\Recent.

    Attributes:
        first_told: this one is.
        told_recent: messages that arrived were told as \\Recent.
        moved: an INBOX may have been renamed.
        keywords: those that the client was told of.
        reflag: the client has to be told again which flags it may change.
        whole: while not all that is known was told, the MODSEQ up to which all was told; else None.
        pulls: how often something was told.
        trees: the parts of some large messages, by UID: what was found once is not looked for again.
        patches: what makes headers of some large messages ASCII, by UID.
        contents: content ids by UID, of those that were looked up.
        rekeyed: a key for the mailbox's URLs was forgotten, of which the client is to be told (RFC 4467 §7, RESETKEY).
    """

    read_only: bool
    aside: Aside = field(default=lambda work: Ready(work()))
    forget: Callable[[], None] = field(default=lambda: None)
    recents: Recents = field(factory=Recents)
    first_told: bool = field(default=False, init=False)
    told_recent: bool = field(default=False, init=False)
    moved: bool = field(default=False, init=False)
    keywords: frozenset[str] = field(default=frozenset(), init=False)
    reflag: bool = field(default=False, init=False)
    whole: int | None = field(default=None, init=False)
    pulls: int = field(default=0, init=False)
    trees: dict[int, Part] = field(factory=dict, init=False)
    patches: dict[int, Patches] = field(factory=dict, init=False)
    contents: dict[int, int] = field(factory=dict, init=False)
    rekeyed: bool = field(default=False, init=False)
    _arrived: Sequence[Marked] = field(default=(), init=False)  # and were not told

    @property
    def dirty(self) -> bool:
        """There may be something to tell."""
        return self.view.dirty or self.moved or bool(self._arrived) or self.is_left(expunges=True)

    @property
    def told_modseq(self) -> int:
        """Up to this one all changes were told."""
        return self.view.modseq if self.whole is None else self.whole

    def highest(self) -> bytes:
        """It as the response code of a tagged reply (RFC 7162 §3.2.7)."""
        return b"HIGHESTMODSEQ %d" % self.told_modseq

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
        self.recents.leave(self.id, self)

    async def leave(self) -> None:
        """The client leaves it: the messages of which it was told are \\Recent in no other session."""
        if self.told_recent:
            await self.messages.take_recent(self.id)

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
        """As `sync`, told in this style: a part of it, if it is very much. `is_left` says whether there is more.

        Between the parts the view is what the client was told, and the client may do anything.
        """
        view = self.view
        withheld = self.is_left(expunges=True)
        if view.dirty and view.rest is None:
            await self._learn(recent=style.recent)
        gone = view.leaving[-TOLD_AT_ONCE:] if expunges else []
        numbered = () if style.vanished else [uid for uid in gone if uid < view.first_uid]
        ahead = await self.ahead(numbered)
        most = TOLD_AT_ONCE - len(gone)
        before = await self._changed_before(most)
        # From here on nothing waits and nothing fails: what is taken out of the rest is told.
        self.pulls += 1
        lines = untagged.expunged(view, gone, ahead, style)
        view.remove_last(len(gone))
        known = self._changed_here(before, most)
        told = [row for _, row in before]
        return [
            *lines,
            *self.tell_flags((*self._arrived, *told, *known)),
            *self._tell_arrived(style),
            *untagged.marked(view, [(count - bisect_left(gone, row.uid), row) for count, row in before], style),
            *untagged.flags(view, self._take(known, style), style),
            *self._tell_keys(),
            *self._tell_highest(style, withheld=withheld),
        ]

    def is_left(self, *, expunges: bool) -> bool:
        """There is more to tell of what is known."""
        return self.view.rest is not None or (expunges and bool(self.view.leaving))

    async def _learn(self, *, recent: bool) -> None:
        """Ask what happened. What is to be told of it, `pull` tells."""
        view = self.view
        view.dirty = False  # a notice that comes while we ask is not lost
        try:
            changed = await self.messages.changes(self.id, since=view.modseq, uidnext=view.uidnext, reader=self.reader)
            if recent and changed is not None and changed.arrived:
                await self._take_recent()
        except BaseException:
            view.dirty = True
            raise
        if changed is None:
            raise MailboxLost
        if self.whole is None:
            self.whole = view.modseq
        if changed.changed or changed.further is not None:
            view.rest = Rest(
                since=view.modseq,
                upto=changed.highestmodseq,
                below=view.uidnext,
                marks=list(reversed(changed.changed)),
                further=changed.further,
            )
        else:
            view.untold.clear()
        view.lose(changed.expunged)
        view.append(changed.arrived, changed.came)
        view.modseq, view.uidnext = changed.highestmodseq, changed.uidnext
        self._arrived = (*self._arrived, *changed.arrived)
        if view.total - len(view.pending) != changed.messages:
            raise MailboxLost

    async def _take_recent(self) -> None:
        """If the session that was told first has left, it is this one from now on."""
        if self.first_told or self.read_only or not self.recents.take(self.id, self):
            return
        stored = await self.messages.take_recent(self.id)
        self.view.first_recent = max(self.recents.from_uid(self.id, stored), self.view.uidnext)
        self.first_told = True

    def tell_flags(self, rows: Iterable[Marked | Alike]) -> list[bytes]:
        """Which flags there are, if it is not as it was: these rows have new keywords, or rights are others."""
        sets = {row.keywords for row in rows if row.keywords}
        new = {name for keywords in sets for name in keywords.split(" ")} - self.keywords
        if not (new or self.reflag):
            return []
        self.keywords, self.reflag = self.keywords | new, False
        return flag_lines(self.keywords, self.may)

    async def _changed_before(self, most: int) -> list[tuple[int, Marked]]:
        """The next messages of the rest that are not loaded, if it has such; before each, how many are before it."""
        view = self.view
        rest = view.rest
        if rest is None or most <= 0:
            return []
        if not rest.marks and rest.further is not None:
            marks, further = await self.messages.changed(
                self.id, after=rest.further, upto=rest.upto, below=rest.below, reader=self.reader
            )
            rest.marks, rest.further = list(reversed(marks)), further
        marks = rest.before(view.first_uid)
        if not marks:
            return []
        rows = await self.messages.stored(self.id, [(mark.first, mark.last) for mark in marks], limit=most)
        uids = [row.uid for row in rows]
        ahead = await self.ahead(uids)
        if len(rows) < most:  # nothing is left of these
            rest.skip(marks[-1].last)
        return [(ahead[row.uid], row) for row in spread(marks, uids)]

    def _changed_here(self, before: Sequence[tuple[int, Marked]], most: int) -> list[Marked]:
        """The next messages of the rest that are loaded, once there are no others in front of them."""
        view = self.view
        rest = view.rest
        if rest is None:
            return []
        if before:
            rest.skip(before[-1][1].uid)
        known = []
        if not rest.before(view.first_uid):
            known = rest.take(view.uids, view.modseqs, view.pending, most - len(before))
        if rest.over:
            view.rest = None
        return known

    def _take(self, known: Sequence[Marked], style: Style) -> list[int]:
        """The places of those that are otherwise than the client was told."""
        otherwise = self.view.take(known, newer=style.modseq)
        if self.view.untold:
            self.view.untold.difference_update(row.uid for row in known)
        return otherwise

    def _tell_highest(self, style: Style, *, withheld: bool) -> list[bytes]:
        """From where a client has to begin again to which MODSEQs were told, but not all that went before them.

        (RFC 7162 §3.2, §6.) A client of which nothing is withheld takes the highest of those that it was told.
        `withheld`: something was until now.
        """
        left = self.is_left(expunges=True)
        if not left:
            self.whole = None
        return self.tell_whole(style) if withheld or left else []

    def tell_whole(self, style: Style) -> list[bytes]:
        """Up to which MODSEQ all was told, whatever the client was told of higher ones."""
        return [untagged.highest_modseq(self.told_modseq)] if style.resynchronises else []

    def _tell_arrived(self, style: Style) -> list[bytes]:
        view = self.view
        if not self._arrived:
            return []
        self._arrived = ()
        if not style.recent:
            return [untagged.exists(view.total)]
        if self.first_told:
            self.told_recent = True
            self.recents.tell(self.id, view.uidnext)
        return [untagged.exists(view.total), untagged.recent(view)]

    def _tell_keys(self) -> list[bytes]:
        rekeyed, self.rekeyed = self.rekeyed, False
        return [untagged.URL_MECHANISMS] if rekeyed else []

    async def tell_rows(self, rows: Sequence[Marked], style: Style) -> list[bytes]:
        """The flags of these messages, whether they are loaded or not."""
        view = self.view
        ahead = await self.ahead([row.uid for row in rows if row.uid < view.first_uid])
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
