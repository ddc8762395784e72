"""The arguments of NOTIFY (RFC 5465 §8).

notify       = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")
event-group  = "(" filter-mailboxes SP events ")"
events       = ("(" event *(SP event) ")") / "NONE"
filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" /
                   ("subtree" SP one-or-more-mailbox) / ("mailboxes" SP one-or-more-mailbox)
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field, frozen

from worldmail.interfaces.folders import OTHERS, PUBLIC
from worldmail.protocols.imap.fetch.batch import Item
from worldmail.protocols.imap.fetch.parse import read_items
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, No

MOST_GROUPS, MOST_NAMES = 100, 1000


class Event(enum.Enum):
    """What can happen (§5)."""

    NEW = b"MessageNew"
    EXPUNGE = b"MessageExpunge"
    FLAGS = b"FlagChange"
    NAME = b"MailboxName"
    SUBSCRIPTION = b"SubscriptionChange"
    METADATA = b"MailboxMetadataChange"
    SERVER = b"ServerMetadataChange"


MESSAGES = frozenset((Event.NEW, Event.EXPUNGE, Event.FLAGS))
"""What happens to messages: the only events that SELECTED may have (§6.1)."""

_EVENTS = {event.value.upper(): event for event in Event}
_NOT_OFFERED = b"BADEVENT (%b)" % b" ".join(event.value for event in Event)
NO_EVENTS: frozenset[Event] = frozenset()


@frozen(kw_only=True)
class Group:
    """Events in some mailboxes.

    Args:
        which: b"INBOXES", b"PERSONAL", b"SUBSCRIBED", b"SUBTREE" or b"MAILBOXES".
        names: of the last two.
    """

    which: bytes
    events: frozenset[Event]
    names: frozenset[str] = frozenset()


@frozen
class Coverage:
    """Which events there are in which mailboxes: a look at a name takes the time of its levels, however many groups.

    Which mailboxes mail is delivered to is not to be seen from a name, so INBOXES are all of one's own (§6.3).
    """

    own: frozenset[Event]
    subscribed: frozenset[Event]
    named: Mapping[str, frozenset[Event]]
    below: Mapping[str, frozenset[Event]]

    @classmethod
    def of(cls, groups: Iterable[Group]) -> Coverage:
        own = subscribed = NO_EVENTS
        named: dict[str, frozenset[Event]] = {}
        below: dict[str, frozenset[Event]] = {}
        for group in groups:
            if group.which == b"SUBSCRIBED":
                subscribed |= group.events
            elif group.which in (b"INBOXES", b"PERSONAL"):
                own |= group.events
            else:
                held = below if group.which == b"SUBTREE" else named
                held.update({name: held.get(name, NO_EVENTS) | group.events for name in group.names})
        return cls(own, subscribed, named, below)

    def events(self, name: str, *, subscribed: bool) -> frozenset[Event]:
        """Those of a mailbox of this name."""
        found = self.named.get(name, NO_EVENTS) | self.below.get(name, NO_EVENTS)
        if not name.startswith((OTHERS, PUBLIC)):
            found |= self.own
        if subscribed:
            found |= self.subscribed
        if self.below:
            found = found.union(*[self.below.get(name[:at], NO_EVENTS) for at, one in enumerate(name) if one == "/"])
        return found


@frozen(kw_only=True)
class Request:
    """What NOTIFY sets.

    Args:
        status: the state of the mailboxes is to be told first.
        selected: events of the selected mailbox.
        delayed: what was expunged there is told only where sequence numbers may change (§6.1.2).
        items: what is fetched of its new messages.
    """

    groups: Sequence[Group] = ()
    status: bool = False
    selected: frozenset[Event] = NO_EVENTS
    delayed: bool = False
    items: Sequence[Item] = ()
    _coverage: Coverage = field(init=False, eq=False, repr=False)

    @_coverage.default
    def _cover(self) -> Coverage:
        return Coverage.of(self.groups)

    def events(self, name: str, *, subscribed: bool) -> frozenset[Event]:
        """What is to be told of a mailbox, as long as it is not selected."""
        return self._coverage.events(name, subscribed=subscribed)

    def wants(self, event: Event) -> bool:
        """Whether this event is to be told of any mailbox."""
        return any(event in group.events for group in self.groups)


def parse(reader: Reader) -> Request:
    """Everything behind the word NOTIFY."""
    reader.space()
    word = reader.word()
    if word == b"NONE":
        reader.end()
        return Request()
    if word != b"SET":
        raise BadCommand("SET or NONE is expected")
    reader.space()
    status = reader.peek() != b"("
    if status:
        if reader.word() != b"STATUS":
            raise BadCommand("STATUS or a list of events is expected")
        reader.space()
    groups = _Groups(reader=reader)
    groups.take()
    while reader.take(b" ") and not reader.at_end():
        groups.take()
    reader.end()
    if groups.unknown:
        raise No("There are no such events", _NOT_OFFERED)  # §3.1
    return Request(
        groups=tuple(groups.found),
        status=status,
        selected=groups.selected or NO_EVENTS,
        delayed=groups.delayed,
        items=tuple(groups.items),
    )


@define(kw_only=True)
class _Groups:
    """Takes one group after the other.

    Attributes:
        unknown: there was an event that is not offered; what stands behind it may be unknown as well.
    """

    reader: Reader
    found: list[Group] = field(factory=list)
    selected: frozenset[Event] | None = None
    delayed: bool = False
    items: list[Item] = field(factory=list)
    unknown: bool = False

    def take(self) -> None:
        reader = self.reader
        if len(self.found) >= MOST_GROUPS:
            raise No("This is too much to be told of", b"NOTIFICATIONOVERFLOW")
        reader.expect(b"(")
        which = reader.word()
        if which in (b"SELECTED", b"SELECTED-DELAYED"):
            self._take_selected(which)
        elif which in (b"SUBTREE", b"MAILBOXES"):
            reader.space()
            names = frozenset(_names(reader))
            self.found.append(Group(which=which, names=names, events=self._events()))
        elif which in (b"INBOXES", b"PERSONAL", b"SUBSCRIBED"):
            self.found.append(Group(which=which, events=self._events()))
        else:
            raise BadCommand("There is no such kind of mailboxes")
        reader.expect(b")")

    def _take_selected(self, which: bytes) -> None:
        if self.selected is not None:
            raise BadCommand("The selected mailbox may be named once")  # §6.1
        items: list[Item] = []
        self.selected = self._events(items)
        self.delayed, self.items = which == b"SELECTED-DELAYED", items
        if not self.selected <= MESSAGES:
            raise BadCommand("In the selected mailbox only messages can be watched")

    def _events(self, items: list[Item] | None = None) -> frozenset[Event]:
        reader = self.reader
        reader.space()
        if reader.peek() != b"(":
            if reader.word() != b"NONE":
                raise BadCommand("Events are expected")
            return NO_EVENTS
        found: set[Event] = set()
        self._read_events(found, items)
        if found & MESSAGES and not {Event.NEW, Event.EXPUNGE} <= found and not self.unknown:
            raise BadCommand("MessageNew and MessageExpunge go together, and with FlagChange")  # §5
        return frozenset(found)

    def _read_events(self, found: set[Event], items: list[Item] | None) -> None:
        reader = self.reader
        reader.expect(b"(")
        while True:
            event = _EVENTS.get(reader.word())
            if event is None:
                self.unknown = True
            else:
                found.add(event)
            if reader.take(b")"):
                return
            reader.space()
            if event is Event.NEW and reader.peek() == b"(":
                if items is None:
                    raise BadCommand("Only of the selected mailbox anything is fetched")  # §8, at message-event
                items += read_items(reader)
                if reader.take(b")"):
                    return
                reader.space()


def _names(reader: Reader) -> Sequence[str]:
    """One mailbox, or several in parentheses; no wildcards are in them (§6.6)."""
    if reader.peek() != b"(":
        return (reader.mailbox(),)
    names = reader.parenthesised(reader.mailbox)
    if not names:
        raise BadCommand("A mailbox is expected")
    if len(names) > MOST_NAMES:
        raise No("These are too many mailboxes", b"NOTIFICATIONOVERFLOW")
    return names
