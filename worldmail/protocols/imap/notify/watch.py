"""What a client that gave NOTIFY was told, and what there is to tell it (RFC 5465).

Theory of operation. The change feed names mailboxes of which something changed ("mailbox", for each that is watched),
and accounts whose list of mailboxes changed ("folders"). It only marks what has to be looked at; the session is woken,
and `news` compares what there is now with what the client was told. So changes that come close together are one
response, and none is lost: after a new mailbox is watched, everything is looked at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.listing.choose import levels_above
from worldmail.protocols.imap.notify import renames, telling, told
from worldmail.protocols.imap.notify.annotations import SERVER, KnownAnnotations
from worldmail.protocols.imap.notify.request import MESSAGES, Event, Request
from worldmail.protocols.imap.replies import No
from worldmail.wire.effects import Effects

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

MOST_WATCHED = 5000
"""Mailboxes of one session."""

_LOOKS = 4
"""How often is looked again in one turn, because something changed while we looked."""

_AT_ONE = MESSAGES | {Event.METADATA}
"""Events of single mailboxes: for others it is enough to know the list."""


@define(kw_only=True, eq=False)
class Watch:
    """The mailboxes that one session watches.

    Attributes:
        folders: as the client was told, by id: all that the account may list.
        subscribed: the names that it was told are subscribed to.
        own: names that the session itself changed something about, which it is not told of (§5).
        changed: ids of mailboxes that have to be looked at.
        relist: the list has to be looked at.
        unfetched: the first UID of the selected mailbox of whose messages the client was told, but not yet what it
            wants to have fetched of them; 0 for none.
    """

    request: Request
    folders: dict[int, Folder] = field(factory=dict)
    subscribed: frozenset[str] = frozenset()
    own: set[str] = field(factory=set)
    changed: set[int] = field(factory=set)
    relist: bool = False
    unfetched: int = 0
    _annotations: KnownAnnotations = field(factory=KnownAnnotations)
    _forget: Callable[[], None] | None = None
    _watched: dict[int, Callable[[], None]] = field(factory=dict)

    @property
    def dirty(self) -> bool:
        """There may be something to tell."""
        return self.relist or bool(self.changed)

    @property
    def busy(self) -> bool:
        """`news` has something to do."""
        return self.dirty or bool(self.own)

    def release(self) -> None:
        """Nothing is watched any more. Harmless a second time."""
        if self._forget is not None:
            self._forget()
            self._forget = None
        for cancel in self._watched.values():
            cancel()
        self._watched.clear()

    def nothing(self) -> Watch:
        """What comes in its place once it is too much: as after NOTIFY NONE."""
        return Watch(request=Request())

    async def pushed(self, session: Session) -> Effects:
        """What there is to tell though no command is under way."""
        return await telling.pushed(session, self)

    def tells_expunges(self, session: Session) -> bool:
        """Is told though no command is under way what was expunged (§6.1.2)?"""
        return session.idling or not self.request.delayed

    async def within_command(self, session: Session, *, expunges: bool) -> Sequence[bytes]:
        """What there is to tell before the tagged reply."""
        return await telling.within_command(session, self, expunges=expunges)

    def chosen(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Of what the view of the selected mailbox tells, what the client wants to know."""
        if Event.FLAGS in self.request.selected:
            return lines
        return [line for line in lines if not told.tells_flags(line)]

    # --- the beginning ---

    async def begin(self, session: Session) -> list[bytes]:
        """Watch from now on; what has to be told first (§3.1)."""
        if not self.request.groups:
            return []

        def listed(notice: object) -> None:
            self.relist = True
            session.wake()

        self._forget = session.world.changes.subscribe("folders", listed, session.user.id)
        await self._take_list(session)
        self._watch(session)
        lines: list[bytes] = []
        for folder in self.folders.values():
            events = self._events(folder)
            if events and "r" not in folder.rights:
                lines.append(told.no_access(session, folder))
            elif self.request.status and not _is_selected(session, folder):
                lines.append(told.first_status(session, folder, events))
        if self.request.wants(Event.METADATA):
            for number in self._watched:
                folder = self.folders[number]
                await self._annotations.learn(session, number, folder.name, folder.special_use)
        if self.request.wants(Event.SERVER):
            await self._annotations.learn(session, SERVER, "")
        return lines

    async def _take_list(self, session: Session) -> dict[str, Folder]:
        """Look at the list; all that it names, levels without a mailbox among it."""
        store, user = session.world.folders, session.user
        listing = await store.folders(user)
        self.subscribed = frozenset(await store.subscribed(user))
        self.folders = {folder.id: folder for folder in listing if folder.exists}
        return {folder.name: folder for folder in listing}

    def _watch(self, session: Session) -> None:
        """Hear of the mailboxes of which single changes are to be told, and of no others."""
        wanted = {number for number, folder in self.folders.items() if not _AT_ONE.isdisjoint(self._events(folder))}
        if len(wanted) > MOST_WATCHED:
            raise No("These are too many mailboxes to watch", b"NOTIFICATIONOVERFLOW")
        for number in self._watched.keys() - wanted:
            self._watched.pop(number)()
        for number in wanted - self._watched.keys():
            mark = partial(self._mark, session, number)
            self._watched[number] = session.world.changes.subscribe("mailbox", mark, number)
            self.relist = True  # it may have changed before it was watched

    def _mark(self, session: Session, number: int, notice: object) -> None:
        self.changed.add(number)
        session.wake()

    def _events(self, folder: Folder) -> frozenset[Event]:
        return self.request.events(folder.name, subscribed=folder.name in self.subscribed)

    # --- changes ---

    async def news(self, session: Session) -> list[bytes]:
        """What changed since the last time, but in the selected mailbox."""
        own, self.own = self.own, set()
        lines: list[bytes] = []
        for _ in range(_LOOKS):
            if not self.dirty:
                break
            lines += await self._look(session, own)
        else:
            session.wake()  # there is no end of it: the rest is told in a turn of its own
        return [line for line in lines if line]

    async def _look(self, session: Session, own: set[str]) -> list[bytes]:
        changed, self.changed = self.changed, set()
        relist, self.relist = self.relist, False
        lines: list[bytes] = []
        if relist:
            lines += await self._compare_lists(session, own)
        else:
            for number in sorted(changed & self.folders.keys()):
                lines.append(await self._compare_one(session, number))
        if self.relist and not relist:
            self.changed |= changed  # under which names their annotations are told is known behind that
        elif self.request.wants(Event.METADATA):
            for number in sorted(changed & self._watched.keys()):
                lines.append(await self._compare_annotations(session, self.folders[number], own))
        if relist and self.request.wants(Event.SERVER):
            entries = await self._annotations.learn(session, SERVER, "")
            if entries and "" not in own:
                lines.append(told.metadata(b'""', entries))
        return lines

    async def _compare_one(self, session: Session, number: int) -> bytes:
        before = self.folders[number]
        now = await session.world.folders.by_id(session.user, number)
        if (
            now is None
            or now.name != before.name
            or any((right in now.rights) != (right in before.rights) for right in "lr")
        ):
            self.relist = True  # the list tells of it
            return b""
        self.folders[number] = now
        return self._told_of_messages(session, before, now)

    def _told_of_messages(self, session: Session, before: Folder, now: Folder) -> bytes:
        if "r" not in now.rights or _is_selected(session, now):
            return b""
        if "r" not in before.rights:  # it is read from now on
            before = evolve(before, uidnext=0)
        return told.messages(session, before, now, self._events(now))

    async def _compare_annotations(self, session: Session, folder: Folder, own: set[str]) -> bytes:
        if Event.METADATA not in self._events(folder):
            return b""
        entries = await self._annotations.learn(session, folder.id, folder.name, folder.special_use)
        if not entries or folder.name in own:
            return b""
        return told.metadata(session.wire_name(folder.name), entries)

    async def _compare_lists(self, session: Session, own: set[str]) -> list[bytes]:
        before, subscribed = self.folders, self.subscribed
        by_name = await self._take_list(session)
        now, watched = self.folders, set(self._watched)
        self._watch(session)
        if self.request.wants(Event.METADATA):  # of the annotations of new ones nothing is known, or what once was
            self.changed |= self._watched.keys() - watched

        def tells(event: Event, *names: str) -> bool:
            return any(
                event in self.request.events(name, subscribed=name in subscribed or name in self.subscribed)
                for name in names
            )

        def line(name: str) -> bytes:
            return told.listed(session, by_name.get(name) or told.absent(name, subscribed=name in self.subscribed))

        moved = renames.of_which_to_tell(before, now, own=own, asked=partial(tells, Event.NAME))
        gone, affected = told.not_in(before, now) - own, told.affected(before, now, own)
        lines: list[bytes] = []
        if moved:  # what is gone leaves first: nothing takes it along, and it is in nobody's way
            absent = (told.absent(name, subscribed=name in self.subscribed) for name in sorted(gone))
            lines += [told.listed(session, folder) for folder in absent if tells(Event.NAME, folder.name)]
            affected -= (gone - by_name.keys()) | {folder.name for folder in moved.values()}
            taken = (folder.name for listing in (before, now) for folder in listing.values())
            lines += [told.listed(session, folder, oldname=old) for old, folder in renames.steps(moved, taken)]
        lines += [line(name) for name in sorted(affected) if tells(Event.NAME, name)]
        changed = (subscribed ^ self.subscribed) - own
        lines += [line(name) for name in sorted(changed) if tells(Event.SUBSCRIPTION, name)]
        names = {folder.name for folder in before.values()}
        for number in sorted(now.keys() - before.keys()):
            lines.append(self._told_of_new(session, now[number], known=now[number].name in names))
        for number in sorted(before.keys() & now.keys()):
            lines.append(self._told_of_access(session, before[number], now[number]))
            lines.append(self._told_of_messages(session, before[number], now[number]))
        return lines

    def _told_of_new(self, session: Session, folder: Folder, *, known: bool) -> bytes:
        """What is in a mailbox that was not there before; `known`: another one had its name (§5.1: UIDVALIDITY)."""
        if "r" not in folder.rights or _is_selected(session, folder) or not (known or folder.messages):
            return b""
        return told.first_status(session, folder, self._events(folder), anew=True)

    def _told_of_access(self, session: Session, before: Folder, now: Folder) -> bytes:
        """The right to read came or went (§5.9)."""
        if ("r" in before.rights) == ("r" in now.rights) or not self._events(now):
            return b""
        return told.listed(session, now) if "r" in now.rights else told.no_access(session, now)


def _is_selected(session: Session, folder: Folder) -> bool:
    """Of the selected mailbox only what SELECTED names is told (§3.1)."""
    return session.selected is not None and session.selected.id == folder.id


def caused(session: Session, *names: str) -> None:
    """The session itself does something about these names: it is not told of that (§5)."""
    if session.notify is not None:
        for name in names:
            session.notify.own.update((name, *levels_above(name)))
