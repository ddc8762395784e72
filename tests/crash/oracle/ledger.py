"""The ledger: what was promised about each (message, recipient), and what breaks a promise.

A line is UNSENT until the end of its data is on its way, UNKNOWN from then to the final
reply, and then ACKNOWLEDGED or REFUSED. A session that dies leaves it UNSENT or UNKNOWN.

Promises:
- acknowledged: there exactly once, with the octets that were sent below the header lines that the server adds;
- unknown: there once or not at all, and for all recipients of the message or for none;
- unsent, refused: never there;
- a UID means one message for ever;
- what was seen stays until a QUIT after its DELE was answered, and then stays away;
- a QUIT without an answer deletes all that its session marked, or nothing.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from attrs import define, field, frozen

from oracle.letters import Letter, token_of

_ADDED_LINES = re.compile(rb"(?:[!-9;-~]+:[ \t][^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*\Z")


class Fate(enum.Enum):
    """What the client knows of a message for one recipient."""

    UNSENT = "unsent"
    UNKNOWN = "unknown"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@define(kw_only=True)
class Line:
    """One (message, recipient). `uids` are all under which it was ever seen."""

    token: str
    account: str
    length: int
    digest: bytes
    fate: Fate = Fate.UNSENT
    uids: set[str] = field(factory=set)


@frozen(order=True)
class Breach:
    """One broken promise."""

    kind: str
    account: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.account}: {self.detail}"


@define
class Ledger:
    """All lines, and what was seen and deleted of them by POP3."""

    lines: dict[tuple[str, str], Line] = field(factory=dict)
    breaches: set[Breach] = field(factory=set)
    _recipients: dict[str, list[str]] = field(factory=dict)
    _bound: dict[tuple[str, str], bytes] = field(factory=dict)
    _live: dict[str, dict[str, str]] = field(factory=lambda: defaultdict(dict))
    _gone: dict[str, set[str]] = field(factory=lambda: defaultdict(set))
    _maybe_gone: dict[str, list[frozenset[str]]] = field(factory=lambda: defaultdict(list))

    # --- what the writers do ---

    def written(self, letter: Letter) -> None:
        """A letter exists; nothing of it was sent."""
        digest = letter.digest
        self._recipients[letter.token] = list(letter.recipients)
        for account in letter.recipients:
            self.lines[letter.token, account] = Line(
                token=letter.token, account=account, length=len(letter.octets), digest=digest
            )

    def offered(self, letter: Letter, accounts: Iterable[str]) -> None:
        """The end of its data goes out now, for these recipients."""
        self._settle(letter, accounts, Fate.UNKNOWN)

    def acknowledged(self, letter: Letter, accounts: Iterable[str]) -> None:
        """The final 250 came."""
        self._settle(letter, accounts, Fate.ACKNOWLEDGED)

    def refused(self, letter: Letter, accounts: Iterable[str]) -> None:
        """A 4xx or 5xx came: at RCPT for some, at the end for all."""
        self._settle(letter, accounts, Fate.REFUSED)

    def _settle(self, letter: Letter, accounts: Iterable[str], fate: Fate) -> None:
        for account in accounts:
            self.lines[letter.token, account].fate = fate

    # --- what the readers do ---

    def sighted(self, account: str, uid: str, octets: bytes) -> None:
        """A message was read whole."""
        digest = hashlib.sha256(octets).digest()
        if self._bound.setdefault((account, uid), digest) != digest:
            return self._breach("uid reused", account, f"{uid} names two messages")
        token = token_of(octets)
        line = self.lines.get((token, account)) if token else None
        if token is None or line is None:
            return self._breach("invented", account, f"{uid} holds {token}, which was never written for it")
        if not _is_same(line, octets):
            return self._breach("changed", account, f"{uid} holds {token} with other octets")
        self._live[account][uid] = token
        line.uids.add(uid)
        return None

    def deleting(self, account: str, uids: Collection[str]) -> None:
        """A QUIT goes out after DELE of these."""
        if uids:
            self._maybe_gone[account].append(frozenset(uids))

    def deleted(self, account: str, uids: Collection[str]) -> None:
        """That QUIT was answered +OK."""
        if uids:
            self._maybe_gone[account].remove(frozenset(uids))
            self._gone[account].update(uids)

    def kept(self, account: str, uids: Collection[str]) -> None:
        """That QUIT was answered -ERR: its session deleted nothing, or part (RFC 1939 §6)."""
        if uids:
            self._maybe_gone[account].remove(frozenset(uids))
            self._maybe_gone[account].extend(frozenset([uid]) for uid in uids)

    # --- the end ---

    def listed(self, account: str, uids: Collection[str]) -> None:
        """All there is in a mailbox now: what became of each QUIT without an answer shows."""
        here = set(uids)
        gone = self._gone[account]
        for group in self._maybe_gone.pop(account, []):
            if group & here and not group <= here:
                self._breach("half deletion", account, f"{len(group & here)} of {len(group)} are still there")
            gone |= group - here
        for uid in here & gone:
            self._breach("came back", account, f"{uid} was deleted and acknowledged")

    def present(self, account: str, uids: Collection[str]) -> None:
        """All there is in a mailbox now; each was `sighted`, and nobody else changes it meanwhile."""
        self.listed(account, uids)
        live, gone = self._live[account], self._gone[account]
        for uid in live.keys() - set(uids):
            token = live.pop(uid)
            if uid not in gone:
                self._breach("vanished", account, f"{uid} with {token} was there, nobody deleted it")

    def unreadable(self, account: str, uid: str, reply: bytes) -> None:
        """A message that is listed cannot be read."""
        self._breach("unreadable", account, f"{uid}: {reply[:80]!r}")

    def inconsistent(self, detail: str) -> None:
        """The store contradicts itself."""
        self._breach("store", "-", detail)

    def close(self) -> list[Breach]:
        """After `present` for every account: all breaches."""
        for line in self.lines.values():
            self._weigh(line)
        for token, accounts in self._recipients.items():
            self._weigh_whole(token, accounts)
        return sorted(self.breaches)

    def counts(self) -> Counter[str]:
        """How many lines have each fate, and how many messages were deleted."""
        totals = Counter(line.fate.value for line in self.lines.values())
        totals["deleted"] = sum(map(len, self._gone.values()))
        totals["unknown, there"] = sum(1 for line in self.lines.values() if line.fate is Fate.UNKNOWN and line.uids)
        return totals

    def _weigh(self, line: Line) -> None:
        copies = len(line.uids)
        if copies > 1:
            self._breach("duplicated", line.account, f"{line.token} has {copies} UIDs")
        if copies and line.fate in (Fate.UNSENT, Fate.REFUSED):
            self._breach("invented", line.account, f"{line.token} was {line.fate.value}")
        if not copies and line.fate is Fate.ACKNOWLEDGED:
            self._breach("lost", line.account, f"{line.token} of {line.length} octets was acknowledged")

    def _weigh_whole(self, token: str, accounts: list[str]) -> None:
        lines = [self.lines[token, account] for account in accounts]
        unknown = [line for line in lines if line.fate is Fate.UNKNOWN]
        if len({bool(line.uids) for line in unknown}) > 1:
            self._breach("half accepted", unknown[0].account, f"{token} is there for some of {len(unknown)} recipients")

    def _breach(self, kind: str, account: str, detail: str) -> None:
        self.breaches.add(Breach(kind, account, detail))


def _is_same(line: Line, octets: bytes) -> bool:
    added, sent = octets[: -line.length], octets[-line.length :]
    return hashlib.sha256(sent).digest() == line.digest and _ADDED_LINES.match(added) is not None
