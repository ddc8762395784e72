"""LIST: which mailboxes there are (RFC 9051 §6.3.9, RFC 3501 §6.3.8, RFC 5258 and what extends it).

The answer is written while it is sent, a slice at a time; all that could fail is asked before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress

from attrs import define, field

from worldmail.errors import NoRight, NoSuchMailbox
from worldmail.interfaces.folders import OTHERS, PUBLIC, Folder
from worldmail.protocols.imap import metadata, status
from worldmail.protocols.imap.listing.choose import chosen, with_subscriptions
from worldmail.protocols.imap.listing.pattern import Patterns
from worldmail.protocols.imap.listing.request import Listing, parse
from worldmail.protocols.imap.listing.responses import Teller
from worldmail.protocols.imap.replies import astring
from worldmail.protocols.imap.rights import ANY_MYRIGHTS, on_wire
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects, Stream

SLICE = 500
"""Names that are told at once: some milliseconds, in which no other session is served."""

Chosen = Sequence[tuple[Folder, bool]]


async def run(session: Session, listing: Listing) -> Effects | Done:
    """LIST responses, each with what else was asked for of its mailbox behind it."""
    if listing.asks_for_root:
        return (b'* LIST (\\Noselect) "/" %b\r\n' % astring(root_of(listing.reference).encode("ascii")),)
    found = await select(session, listing)
    answer = Answer(session=session, listing=listing, told=found)
    await answer.ask()
    told = Stream(answer.slices()) if len(found) > SLICE else answer.write(found)
    effects = (*answer.enabled, told)
    return Done(effects, code=metadata.long_entries(answer.longest)) if answer.longest else effects


def root_of(reference: str) -> str:
    """The root of the namespace that a name lies in; "" for one's own (RFC 9051 §6.3.9)."""
    return next((root for root in (OTHERS, PUBLIC) if reference.startswith(root)), "")


async def select(session: Session, listing: Listing) -> Chosen:
    """What is to be told."""
    patterns = Patterns(listing.reference + pattern for pattern in listing.patterns if pattern)
    selection = listing.selection
    store, user = session.world.folders, session.user
    # Whether something below is told itself makes a difference to what is above it.
    folders: Sequence[Folder] = await store.folders(user, pattern=patterns.prefix or None)
    if selection.subscribed:
        subscribed = await store.subscribed(user)
        folders = with_subscriptions(folders, subscribed, levels=selection.recursive)
    return list(chosen(folders, patterns, selection))


@define(kw_only=True)
class Answer:
    """What is told of the names, and what it takes."""

    session: Session
    listing: Listing
    told: Chosen
    longest: int = 0
    enabled: tuple[bytes, ...] = ()
    _facts: status.Facts = field(factory=status.Facts, init=False)
    _annotations: dict[int, Mapping[str, bytes]] = field(factory=dict, init=False)
    _teller: Teller = field(init=False)

    def __attrs_post_init__(self) -> None:
        session, listing = self.session, self.listing
        self._teller = Teller(
            extended=listing.extended or "IMAP4REV2" in session.enabled,
            subscribed=listing.returns.subscribed,
            criteria=listing.selection.criteria,
        )

    async def ask(self) -> None:
        """Everything that the lines need."""
        returns, session = self.listing.returns, self.session
        if returns.status:
            self.enabled = status.enable_for(session, returns.status)
            readable = [folder for folder, _ in self.told if folder.exists and "r" in folder.rights]
            self._facts = await status.facts_for(session, readable, returns.status)
        if returns.metadata is not None:
            for folder, _ in self.told:
                if folder.exists and metadata.accessible(folder):
                    await self._ask_annotations(folder, returns.metadata)

    async def _ask_annotations(self, folder: Folder, wanted: metadata.Wanted) -> None:
        store, user = self.session.world.folders, self.session.user
        with suppress(NoSuchMailbox, NoRight):  # it went meanwhile: nothing is told then (RFC 9590 §3)
            found = await store.annotations(user, folder.name, tuple(wanted.entries), depth=wanted.depth)
            found = metadata.with_special_use(found, wanted, folder.special_use)
            self._annotations[folder.id] = found
            self.longest = max(self.longest, metadata.longest(wanted, found))

    async def slices(self) -> AsyncIterator[bytes]:
        """All lines, some at a time."""
        for start in range(0, len(self.told), SLICE):
            yield self.write(self.told[start : start + SLICE])

    def write(self, told: Chosen) -> bytes:
        """The lines of these."""
        line, returns, wire_name = self._teller.line, self.listing.returns, self.session.wire_name
        if not (returns.status or returns.myrights or returns.metadata):
            return b"".join([line(folder, wire_name(folder.name), childinfo=info) for folder, info in told])
        lines: list[bytes] = []
        for folder, info in told:
            name = wire_name(folder.name)
            lines.append(line(folder, name, childinfo=info))
            if folder.exists:
                self._write_more(folder, name, lines)
        return b"".join(lines)

    def _write_more(self, folder: Folder, name: bytes, lines: list[bytes]) -> None:
        returns = self.listing.returns
        if returns.status and "r" in folder.rights:  # RFC 5819 §2
            lines.append(status.response(name, folder, returns.status, self._facts))
        if returns.myrights and not ANY_MYRIGHTS.isdisjoint(folder.rights):  # RFC 8440 §3
            lines.append(b"* MYRIGHTS %b %b\r\n" % (name, on_wire(folder.rights)))
        if returns.metadata is not None and folder.id in self._annotations:  # RFC 9590 §3
            lines.append(metadata.response(name, returns.metadata, self._annotations[folder.id]))


LIST = Command(word=b"LIST", states=SIGNED_IN, parse=parse, run=run, rfc="RFC 9051 §6.3.9")
