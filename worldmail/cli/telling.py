"""What became of messages, in words: the records of the trace, and the rows of the queue for who waits still."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from worldmail.cli.output import printable
from worldmail.interfaces.queue import QueuedRecipient, Standing
from worldmail.interfaces.store import TraceRecord

_ADMINISTRATORS = {
    "retried": "an administrator wants it tried now: {to}",
    "held": "an administrator holds it back: {to}",
    "released": "an administrator lets it go on: {to}",
    "removed": "an administrator took it out of the queue: {to}",
}
NAMED = 3
"""Recipients that a message's first line names; further ones are counted."""

_HERE = ("delivered", "expanded", "forwarded")


@frozen
class Event:
    """One record, with its detail read."""

    acceptance: str
    at: int
    name: str
    detail: Mapping[str, Any]

    @classmethod
    def of(cls, record: TraceRecord) -> Event:
        """The event of a record."""
        detail = json.loads(record.detail)
        known = detail if isinstance(detail, dict) else {"said": detail}
        return cls(record.acceptance, record.at, record.event, known)

    @property
    def arrival(self) -> bool:
        """Did the message come here by it?"""
        return self.name == "accepted"


@define
class Story:
    """One message: its events, and the beginnings of reports on it, in their order.

    Attributes:
        queued: some of it went to the queue.
    """

    acceptance: str
    events: list[Event] = field(factory=list)

    @property
    def queued(self) -> bool:
        return any("queued" in event.detail for event in self.events if event.acceptance == self.acceptance)


def stories(records: Sequence[TraceRecord]) -> list[Story]:
    """The messages of these records, in the order of their first events."""
    found: dict[str, Story] = {}
    for record in records:
        event = Event.of(record)
        story = found.setdefault(event.acceptance, Story(event.acceptance))
        story.events.append(event)
        about = event.detail.get("about")
        if event.arrival and about in found:
            found[about].events.append(event)
    return list(found.values())


def told(story: Story, waiting: Sequence[QueuedRecipient], now: float) -> Iterator[str]:
    """The lines of one message; `waiting`: those of its recipients that are in the queue."""
    yield printable(_title(story))
    day = ""
    for event in story.events:
        if _is_told_already(event):
            continue
        if _day(event.at) != day:
            day = _day(event.at)
            yield f"  {day} UTC"
        words = _of_report(event) if event.acceptance != story.acceptance else _of_event(event)
        yield printable(f"  {_hour(event.at)}  {words}")
    if story.queued:
        for recipient in waiting:
            yield printable(f"  now       {_of_waiting(recipient, now)}")
        if not waiting:
            yield "  now       nothing of it waits"


def _title(story: Story) -> str:
    arrival = next((event for event in story.events if event.arrival and event.acceptance == story.acceptance), None)
    if arrival is None:
        return f"{story.acceptance}: how it came is not known any more"
    detail = arrival.detail
    words = f"{story.acceptance}: from {detail.get('from') or '<>'} to {_some(detail.get('to'))}"
    words += f", {detail.get('size')} octets"
    return words + (f", Message-ID {detail['message_id']}" if "message_id" in detail else "")


def _is_told_already(event: Event) -> bool:
    """Of a recipient that was delivered here by way of the queue there are two records: where to, and that it was."""
    return event.name in _HERE and "server" in event.detail and not event.detail["server"]


def _of_event(event: Event) -> str:
    detail, to = event.detail, _list(event.detail.get("to"))
    if event.arrival:
        return _of_arrival(detail)
    if event.name in _ADMINISTRATORS:
        return _ADMINISTRATORS[event.name].format(to=to)
    if event.name == "redirected":
        return f"an administrator sends it to {detail.get('instead', 'another address')} in place of {to}"
    if event.name in _HERE:
        return f"{to}: {_places(detail)}" if not detail.get("server") else _of_attempt("handed", event)
    if event.name in ("deferred", "failed"):
        return _of_attempt(event.name, event)
    said = f"; said last: {detail['said']}" if detail.get("said") else ""
    if event.name == "expired":
        return f"given up for {to}: its time is over{said}"
    if event.name == "delayed":
        return f"delayed for {to}: it goes on being tried{said}"
    if event.name == "reclaimed":
        return f"to be tried again for {to}: {detail.get('said')}"
    return " ".join([event.name, *(f"{name}={_word(value)}" for name, value in detail.items())])


def _of_arrival(detail: Mapping[str, Any]) -> str:
    if "about" in detail:
        words = f"made here, a report on {detail['about']}"
    else:
        words = f"accepted from {detail.get('client')} by {detail.get('protocol')}"
        if "account" in detail:
            words += f", signed in as {detail['account']}"
        if "tls" in detail:
            words += f" ({_tls(detail['tls'])})"
    return f"{words}: {_places(detail)}"


def _places(detail: Mapping[str, Any]) -> str:
    """Where a message went at once: into mailboxes, to the queue, or both."""
    places = []
    queued = detail.get("queued")
    accounts = detail.get("delivered", [] if queued else detail.get("to"))
    if accounts:
        places.append(f"in the mailbox{'es' if len(accounts) > 1 else ''} of {_list(accounts)}")
    if queued:
        places.append(f"queued for {_list(queued)}")
    return ", ".join(places) or "to nobody"


def _of_attempt(word: str, event: Event) -> str:
    """What a server said, or what we found, of recipients."""
    detail = event.detail
    to, server = _list(detail.get("to")), detail.get("server")
    if word == "handed":
        words = f"handed to {server} for {to}: {detail.get('said')}"
    else:
        words = f"{word} for {to}{f' at {server}' if server else ''}: {detail.get('said')}"
    notes = []
    if "tls" in detail:
        notes.append(_tls(detail["tls"]))
    if detail.get("attempt", 1) > 1 or word == "deferred":
        notes.append(f"attempt {detail.get('attempt')}")
    if "next" in detail:
        notes.append(f"next try {_moment(detail['next'], event.at)}")
    return words + (f" ({', '.join(notes)})" if notes else "")


def _of_report(event: Event) -> str:
    return f"{_list(event.detail.get('to'))} is told by the report {event.acceptance}"


def _of_waiting(recipient: QueuedRecipient, now: float) -> str:
    said = f"; said last: {recipient.reply}" if recipient.reply else ""
    attempts = recipient.attempts
    tried = "not tried yet" if not attempts else f"tried {attempts} time{'' if attempts == 1 else 's'}"
    if recipient.standing is Standing.LEASED:
        return f"{recipient.address} is being tried, attempt {attempts}{said}"
    if recipient.standing is Standing.HELD:
        return f"{recipient.address} is held until it is released, {tried}{said}"
    until = _moment(recipient.expires, now)
    return f"{recipient.address} waits: {tried}, next try {_moment(recipient.due, now)}, given up {until}{said}"


def _list(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _some(value: Any) -> str:
    if not isinstance(value, list) or len(value) <= NAMED + 1:
        return _list(value)
    return f"{_list(value[:NAMED])} and {len(value) - NAMED} more"


def _tls(version: Any) -> str:
    return str(version) if str(version).startswith("TLS") else f"TLS {version}"


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _hour(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))


def _moment(at: float, seen: float) -> str:
    """A moment, with its day if that is another one than that from where it is seen."""
    return _hour(at) if _day(at) == _day(seen) else f"{_day(at)} {_hour(at)}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
