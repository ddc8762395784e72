"""A mailbox is selected: its view, and what SELECT tells of it (RFC 9051 §6.3.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from attrs import define

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.replies import untagged
from worldmail.protocols.imap.view.applicable import flag_lines
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.untagged import URL_MECHANISMS, exists, recent
from worldmail.protocols.imap.view.view import View

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

MOST_RECENT = 10_000
"""Messages that are \\Recent; of more that came since, the last ones."""

_UIDS = b"* OK [UIDVALIDITY %d] UIDs are valid\r\n* OK [UIDNEXT %d] Next UID\r\n"
_IDENTITY = b"* OK [HIGHESTMODSEQ %d] Highest\r\n* OK [MAILBOXID (F%d)] Identity of the mailbox\r\n"


@define(eq=False)
class _Watch:
    """Hears of changes in the selected mailbox. An object, since closures take much more memory, and many are idle."""

    _session: Session
    _selected: Selected
    _ends: tuple[Callable[[], None], ...] = ()

    def begin(self) -> None:
        """Hear."""
        subscribe, folder = self._session.world.changes.subscribe, self._selected.folder
        self._ends = (subscribe("mailbox", self._changed, folder.id), subscribe("url-key", self._rekeyed, folder.id))
        if folder.name.rpartition("/")[2] == "INBOX":
            self._ends += (subscribe("folders", self._listed, self._session.user.id),)

    def end(self) -> None:
        """Hear no more."""
        for end in self._ends:
            end()

    def _changed(self, notice: object) -> None:
        self._selected.touch()
        self._session.wake()

    def _rekeyed(self, notice: object) -> None:
        self._selected.rekeyed = True
        self._changed(notice)

    def _listed(self, notice: object) -> None:
        self._selected.moved = True
        self._session.wake()


async def open_view(session: Session, folder: Folder, *, read_only: bool) -> Selected:
    """The mailbox as it was a moment ago, and from now on a watch over its changes.

    What came between the look and the watch is for the caller to find out.
    """
    world = session.world
    reader = folder.reader(session.user.id)
    view = View(total=folder.messages, uidnext=folder.uidnext, modseq=folder.highestmodseq)
    selected = Selected(
        folder=folder,
        read_only=read_only,
        reader=reader,
        messages=world.messages,
        view=view,
        aside=world.aside,
        recents=session.site.recents,
    )
    selected.pause = partial(world.clock.sleep, 0)

    watch = _Watch(session, selected)
    watch.begin()
    selected.forget = watch.end
    try:
        keywords = folder.keywords
        if keywords is None:
            keywords = await world.messages.keywords(folder.id)
        selected.keywords = frozenset(keywords)
        if "IMAP4REV2" not in session.enabled:
            await _open_recent(selected)
    except BaseException:
        selected.release()
        raise
    return selected


async def _open_recent(selected: Selected) -> None:
    """Which messages are \\Recent (RFC 3501 §2.3.2): those of which no session was told. EXAMINE leaves them so."""
    folder, recents, first = selected.folder, selected.recents, selected.folder.recent
    if not selected.read_only:
        if not recents.take(folder.id, selected):
            return
        if first < folder.uidnext:
            first = max(first, await selected.messages.take_recent(folder.id))
        selected.first_told = True
    selected.view.first_recent = min(recents.from_uid(folder.id, first), folder.uidnext)
    await selected.load_recent(MOST_RECENT)


async def opening_lines(session: Session, selected: Selected) -> list[bytes]:
    """The untagged responses of SELECT, in the order in which RFC 9051 shows them."""
    view, folder = selected.view, selected.folder
    rev1 = "IMAP4REV2" not in session.enabled
    lines = [exists(view.total)]
    if rev1:
        lines.append(recent(view))
        lines += await _first_unseen(session, selected)
    lines += [
        _UIDS % (folder.uidvalidity, view.uidnext),
        *flag_lines(selected.keywords, selected.may),
        _IDENTITY % (view.modseq, folder.id),
        URL_MECHANISMS,
    ]
    return lines


async def _first_unseen(session: Session, selected: Selected) -> list[bytes]:
    """RFC 3501 §7.1; not where sequence numbers may not be told (RFC 9586 §3.5)."""
    folder = selected.folder
    if "UIDONLY" in session.enabled or not folder.unseen:
        return []
    first = (1, 0) if not folder.seen else await selected.messages.first_unseen(selected.id, reader=selected.reader)
    return [] if first is None else [untagged(b"OK", "First message without \\Seen", b"UNSEEN %d" % first[0])]
