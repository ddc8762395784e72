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

_WORDS = {
    "retried": "an administrator wants it tried now: {to}",
    "held": "an administrator holds it back: {to}",
    "released": "it goes on, {said}: {to}",
    "removed": "an administrator took it out of the queue: {to}",
    "woke": "{to}: {said}",
    "collected": "{said}",
    "assigned": "it was unclaimed, an administrator gives it to {to}",
    "discarded": "it was unclaimed, an administrator removed it",
}
NAMED = 3
"""Recipients that a message's first line names; further ones are counted."""

SKEW = 300
"""Seconds by which the clock of a server before us may be ahead."""

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
        about: the message that it reports on, if that is told of too.
        queued: some of it went to the queue.
    """

    acceptance: str
    events: list[Event] = field(factory=list)
    about: str | None = None

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
            story.about = about
    return list(found.values())


def told(story: Story, waiting: Sequence[QueuedRecipient], now: float) -> Iterator[str]:
    """The lines of one message; `waiting`: those of its recipients that are in the queue."""
    yield printable(_title(story))
    day = ""
    for at, words in _lines(story):
        if _day(at) != day:
            day = _day(at)
            yield f"  {day} UTC"
        yield printable(f"  {_hour(at)}  {words}")
    if story.queued:
        for recipient in waiting:
            yield printable(f"  now       {_of_waiting(recipient, now)}")
        if not waiting:
            yield "  now       nothing of it waits"


def _lines(story: Story) -> Iterator[tuple[int, str]]:
    """What happened, and when."""
    for event in story.events:
        if _is_told_already(event):
            continue
        if event.acceptance != story.acceptance:
            yield event.at, _of_report(event)
            continue
        if event.arrival and (at := _before(event)):
            yield at, _of_arrival_before(event.detail)
        yield event.at, _of_event(event)


def _before(event: Event) -> int:
    """When the server before us had it, by its own clock; 0 if that is not known."""
    at = event.detail.get("before_at", 0)
    return at if isinstance(at, int) and 0 < at <= event.at + SKEW else 0


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
        return _of_arrival(detail) + _of_waiting_before(event)
    if event.name in _WORDS:
        return _WORDS[event.name].format(to=to, said=detail.get("said", "by an administrator"))
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
    if event.name == "unreported":
        return f"{detail.get('sender')} cannot be told of {to}: {detail.get('said')}"
    if event.name == "reclaimed":
        return f"to be tried again for {to}: {detail.get('said')}"
    return " ".join([event.name, *(f"{name}={_word(value)}" for name, value in detail.items())])


def _of_arrival(detail: Mapping[str, Any]) -> str:
    if "about" in detail:
        words = f"made here, a report on {detail['about']}"
    else:
        words = f"accepted from {detail.get('client')} by {detail.get('protocol')}"
        if "relay" in detail:
            words += f", fetched from {detail['relay']} by the agent {detail.get('agent')}"
        if "account" in detail:
            words += f", signed in as {detail['account']}"
        if "tls" in detail:
            words += f" ({_tls(detail['tls'])})"
    return f"{words}: {_places(detail)}"


def _of_arrival_before(detail: Mapping[str, Any]) -> str:
    """What the server before us says of how it came to that."""
    server = detail.get("relay") or detail.get("client")
    if detail.get("before_local"):
        words = f"{server} made it itself"
    else:
        name = detail.get("before_name") or detail.get("before_helo") or "a client"
        client = f" [{detail['before_client']}]" if "before_client" in detail else ""
        words = f"{server} accepted it from {name}{client}"
    if "before_protocol" in detail and not detail.get("before_local"):
        words += f" by {detail['before_protocol']}"
    return words + (f", as {detail['before_id']}" if "before_id" in detail else "")


def _of_waiting_before(event: Event) -> str:
    """How long it waited there, unless that is nothing to speak of."""
    at = _before(event)
    waited = event.at - at if at else 0
    return f"; it had waited there for {_duration(waited)}" if waited >= 1 else ""


def _duration(seconds: int) -> str:
    """The two largest units."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    said = [f"{seconds // size % most} {unit}" for (unit, size), most in zip(units, (1 << 60, 24, 60, 60), strict=True)]
    first = next((place for place, (_, size) in enumerate(units) if seconds >= size), 3)
    return " ".join(words for words in said[first : first + 2] if not words.startswith("0 "))


def _places(detail: Mapping[str, Any]) -> str:
    """Where a message went at once: into mailboxes, to the queue, or both."""
    places = []
    queued, wakes = detail.get("queued"), detail.get("wakes")
    accounts = detail.get("delivered", [] if queued or wakes else detail.get("to"))
    if accounts:
        places.append(f"in the mailbox{'es' if len(accounts) > 1 else ''} of {_list(accounts)}")
    if queued:
        places.append(f"queued for {_list(queued)}")
    if wakes:
        places.append(f"a wake-up message to {_list(wakes)}")
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
    if "verified" in detail:
        notes.append(f"certificate {'' if detail['verified'] else 'not '}verified")
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
    turn = f"next try {_moment(recipient.due, now)}"
    if recipient.due <= now:  # the destination rests, or has its hands full
        turn = "next try with its destination (worldmail queue destinations)"
    return f"{recipient.address} waits: {tried}, {turn}, given up {until}{said}"


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
