"""What an IMAP client's mailboxes hold after each of its commands, as far as it knows.

One client alone changes them, and sends several commands before it waits. So after a crash they hold what they
held after some prefix of those that were not answered: no half of a command, none out of order, none that was
answered missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import define, evolve, field, frozen

DELETED = b"\\Deleted"


@frozen(kw_only=True)
class Held:
    """One message."""

    digest: bytes
    flags: frozenset[bytes]


@define
class Box:
    """One mailbox."""

    uidnext: int = 1
    held: dict[int, Held] = field(factory=dict)

    def add(self, messages: Sequence[Held]) -> list[int]:
        """They come in this order; their UIDs."""
        uids = list(range(self.uidnext, self.uidnext + len(messages)))
        self.held.update(zip(uids, messages, strict=True))
        self.uidnext += len(messages)
        return uids

    def remove(self, uids: Sequence[int]) -> None:
        """They go, if they are there."""
        for uid in uids:
            self.held.pop(uid, None)

    def here(self, uids: Sequence[int]) -> list[int]:
        """Those that are there, ascending."""
        return sorted(uid for uid in uids if uid in self.held)


State = Mapping[str, Box]
Change = Callable[[State], object]
"""Does to the mailboxes what a command does. What it gives tells of new UIDs: APPENDUID, COPYUID."""


def no_change(state: State) -> None:
    """SELECT, NOOP."""


def append(box: str, *messages: Held) -> Change:
    """APPEND, with one or more messages."""
    return lambda state: state[box].add(messages)


def replace(box: str, uid: int, message: Held) -> Change:
    """UID REPLACE in the same mailbox; refused if there is no such message."""

    def change(state: State) -> object:
        if uid not in state[box].held:
            return None
        state[box].remove([uid])
        return state[box].add([message])

    return change


def store(box: str, uids: Sequence[int], how: bytes, flags: frozenset[bytes]) -> Change:
    """UID STORE."""

    def after(before: frozenset[bytes]) -> frozenset[bytes]:
        return {b"+": before | flags, b"-": before - flags, b"": flags}[how]

    def change(state: State) -> None:
        held = state[box].held
        for uid in state[box].here(uids):
            held[uid] = evolve(held[uid], flags=after(held[uid].flags))

    return change


def copy(box: str, uids: Sequence[int], target: str, *, move: bool) -> Change:
    """UID COPY and UID MOVE."""

    def change(state: State) -> object:
        there = state[box].here(uids)
        new = state[target].add([state[box].held[uid] for uid in there])
        if move:
            state[box].remove(there)
        return there, new

    return change


def expunge(box: str, uids: Sequence[int] | None = None) -> Change:
    """EXPUNGE, or UID EXPUNGE of these."""

    def change(state: State) -> None:
        held = state[box].held
        state[box].remove([uid for uid in uids or list(held) if uid in held and DELETED in held[uid].flags])

    return change


@define
class Boxes:
    """The mailboxes of one client, and the commands on their way."""

    known: dict[str, Box]
    pending: list[Change] = field(factory=list)

    @classmethod
    def empty(cls, *names: str) -> Boxes:
        """Mailboxes without messages."""
        return cls({name: Box() for name in names})

    def states(self) -> Iterator[State]:
        """As they are known, and after each of the commands that are on their way."""
        state: State = _copied(self.known)
        yield _copied(state)
        for change in self.pending:
            change(state)
            yield _copied(state)

    @property
    def ahead(self) -> State:
        """After all of them."""
        *_, last = self.states()
        return last

    def done(self) -> object:
        """The first was answered OK; what it gave."""
        return self.pending.pop(0)(self.known)

    def undone(self) -> None:
        """The first was refused."""
        self.pending.pop(0)

    def settle(self, found: State) -> list[str]:
        """What they really hold now, after a crash; what is wrong with that, each with its kind in front."""
        states = list(self.states())
        self.pending.clear()
        self.known = {name: evolve(box, held=dict(box.held)) for name, box in found.items()}
        if any(_same(state, found) for state in states):
            return []
        return sorted(set(_wrong(states, found))) or ["half done: each message could be so, but not all of them"]


def _copied(state: State) -> dict[str, Box]:
    return {name: Box(box.uidnext, dict(box.held)) for name, box in state.items()}


def _same(state: State, found: State) -> bool:
    return all(box.held == found[name].held for name, box in state.items())


def _wrong(states: Sequence[State], found: State) -> Iterator[str]:
    """By kinds: what is found in no state."""
    yield from _wrong_numbers(states, found)
    for name, box in found.items():
        possible = [state[name].held for state in states]
        for uid in {uid for held in possible for uid in held} | box.held.keys():
            is_there = box.held.get(uid)
            maybe = [held.get(uid) for held in possible]
            if is_there in maybe:
                continue
            if is_there is None:
                yield f"lost: UID {uid} of {name}"
            elif all(one is None for one in maybe):
                below = uid < states[0][name].uidnext
                yield f"{'came back' if below else 'invented'}: UID {uid} of {name}"
            elif all(one is None or one.digest != is_there.digest for one in maybe):
                yield f"changed: UID {uid} of {name} is another message"
            else:
                yield f"flags: UID {uid} of {name} has {sorted(is_there.flags)}, which it never had then"


def _wrong_numbers(states: Sequence[State], found: State) -> Iterator[str]:
    """How often each message is there, in all mailboxes together."""
    possible = [_counted(state) for state in states]
    there = _counted(found)
    for digest in {digest for counts in possible for digest in counts} | there.keys():
        numbers = [counts[digest] for counts in possible]
        if there[digest] > max(numbers):
            yield f"doubled: {digest.hex()[:16]} is there {there[digest]} times, should be {numbers}"
        elif there[digest] < min(numbers):
            yield f"lost: {digest.hex()[:16]} is there {there[digest]} times, should be {numbers}"


def _counted(state: State) -> Counter[bytes]:
    return Counter(held.digest for box in state.values() for held in box.held.values())
