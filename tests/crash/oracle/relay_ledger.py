"""The books of mail that goes on to another server: what was promised, by way of what came and what the trace admits.

Of each (message, recipient) that the first server took:
- there, or reported to its sender: at least once, never neither;
- there more than once: only so many times more as the first server's trace tells of attempts whose end was not seen
  (`Admitted`), each near a moment at which something was killed; Postfix's own doubles are told apart by its queue id;
- of a recipient whom the last server refuses: a report, exactly once (once more for each double of the refusal that a
  Postfix between makes), and never a copy.
What was refused is never there, and of what is unknown everything or nothing.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from email.message import EmailMessage

from attrs import define, field, frozen

from oracle.ledger import Fate, Ledger, Line
from oracle.letters import Letter, token_of

NEAR = 15.0
"""Seconds after a kill within which an attempt that was open then shows in the trace."""

_RECEIVED = re.compile(rb"^Received:((?:[^\r\n]|\r\n[ \t])*)\r\n", re.MULTILINE)
_ID = re.compile(rb"\bby ([\w.-]+)\s[^;]*?\bid ([\w.-]+)")
_TOKEN = re.compile(rb"^X-Token: ([\w-]+)\r?$", re.MULTILINE)

Key = tuple[str, str]
"""A message's token, and a recipient."""


@frozen(kw_only=True)
class Hop:
    """One server that a message came through, and what it calls it."""

    host: str
    id: str


@frozen(kw_only=True)
class Admitted:
    """An attempt whose end the first server did not see, as its trace tells: which acceptance, for whom, when."""

    acceptance: str
    recipient: str
    at: float


def hops(octets: bytes) -> list[Hop]:
    """The servers a message came through, the last one first."""
    head = octets.partition(b"\r\n\r\n")[0] + b"\r\n"
    found = [_ID.search(match[1]) for match in _RECEIVED.finditer(head)]
    return [Hop(host=one[1].decode(), id=one[2].decode()) for one in found if one is not None]


@define
class RelayLedger(Ledger):
    """The ledger of the last server's mailboxes.

    Args:
        refused_there: recipients whom the last server refuses.
        between: recipients on whose way a Postfix is.
        copies: how each copy came: the ids of the servers, from the first one on.
        reports: how many reports of a failure came, by who made them.
        kills: when something was killed.
        doubtful: the first server's database is lost now and then, maybe in a commit: it can only say 451 then, of
            what may have come about.
    """

    refused_there: frozenset[str] = frozenset()
    between: frozenset[str] = frozenset()
    doubtful: bool = False
    copies: dict[Key, dict[str, tuple[str, ...]]] = field(factory=dict)
    reports: dict[Key, Counter[str]] = field(factory=dict)
    kills: list[float] = field(factory=list)
    acceptances: dict[str, str] = field(factory=dict)
    admitted: list[Admitted] = field(factory=list)
    doubles: Counter[str] = field(factory=Counter)

    def refused(self, letter: Letter, accounts: Iterable[str]) -> None:
        """A 4xx or 5xx came; behind the end of data it may say that nobody knows."""
        lines = [self.lines[letter.token, account] for account in accounts]
        known = [line.account for line in lines if not (self.doubtful and line.fate is Fate.UNKNOWN)]
        super().refused(letter, known)

    def sighted(self, account: str, uid: str, octets: bytes) -> None:
        """A copy was read whole."""
        super().sighted(account, uid, octets)
        token = token_of(octets)
        if token is not None and (token, account) in self.lines:
            ids = tuple(hop.id for hop in reversed(hops(octets)))
            self.copies.setdefault((token, account), {})[uid] = ids
            self.acceptances[token] = ids[0]

    def reported(self, report: Report) -> None:
        """A report came to the sender."""
        for recipient, action in report.recipients:
            key = report.token, recipient
            if key not in self.lines:
                self._breach("invented", recipient, f"a report on {report.token}, which was never written for it")
            elif action != "failed":
                self._breach("report", recipient, f"{report.token} is reported as {action}")
            else:
                self.reports.setdefault(key, Counter())[report.by] += 1

    def at_rest(self, left: Iterable[str]) -> None:
        """All is quiet: what there is still in a queue, which should be nothing."""
        for what in left:
            self._breach("left", "-", what)

    def _weigh(self, line: Line) -> None:
        key = line.token, line.account
        copies, reports = list(self.copies.get(key, {}).values()), self.reports.get(key, Counter[str]())
        if line.fate in (Fate.UNSENT, Fate.REFUSED) and (copies or reports):
            self._breach("invented", line.account, f"{line.token} was {line.fate.value}")
        if line.fate is Fate.ACKNOWLEDGED and not (copies or reports):
            self._breach("lost", line.account, f"{line.token} of {line.length} octets was acknowledged")
        if line.account in self.refused_there:
            self._weigh_reports(line, reports)
        elif reports:
            self._breach("report", line.account, f"{line.token} could be delivered, and was reported as failed")
        self._weigh_copies(line, copies)

    def _weigh_copies(self, line: Line, copies: Sequence[tuple[str, ...]]) -> None:
        """`ids[1]` names a transaction with the first server, the last id one with the last server."""
        if len({ids[-1] for ids in copies}) < len(copies):
            self._breach("stored twice", line.account, f"{line.token}: {copies}")
        transactions = len({ids[1] for ids in copies})
        if transactions > 1:
            self._allow_doubles(line, transactions - 1, copies)
        self.doubles["by Postfix"] += len(copies) - transactions

    def _allow_doubles(self, line: Line, doubles: int, copies: Sequence[tuple[str, ...]]) -> None:
        open_ones = sum(1 for one in self.admitted if self._excuses(one, line))
        self.doubles["ours"] += doubles
        if doubles > open_ones:
            self._breach("doubled", line.account, f"{line.token}: {copies}, and {open_ones} attempts were open")

    def _excuses(self, one: Admitted, line: Line) -> bool:
        mine = one.acceptance == self.acceptances.get(line.token) and one.recipient == line.account
        return mine and any(0 <= one.at + 1 - kill <= NEAR for kill in self.kills)

    def _weigh_reports(self, line: Line, reports: Counter[str]) -> None:
        if line.account not in self.between and reports.total() > 1:
            self._breach("report", line.account, f"{line.token} was reported {dict(reports)} times")
        self.doubles["reports by Postfix"] += max(0, reports.total() - 1)

    def _weigh_whole(self, token: str, accounts: list[str]) -> None:
        """What came through the first server's one acceptance came for all, or for none."""
        unknown = [account for account in accounts if self.lines[token, account].fate is Fate.UNKNOWN]
        seen = {account for account in unknown if (token, account) in self.copies or (token, account) in self.reports}
        if seen and len(seen) < len(unknown):
            self._breach("half accepted", unknown[0], f"{token} is there for {len(seen)} of {len(unknown)} recipients")


@frozen(kw_only=True)
class Report:
    """A report on delivery as its reader has it: on which message, who made it, recipients with their action."""

    token: str
    by: str
    recipients: tuple[tuple[str, str], ...]


def read_report(octets: bytes) -> Report | None:
    """A report (RFC 3464 §2) that holds the header of a letter; None if the message is none."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    if message.get_content_type() != "multipart/report":
        return None
    groups: Collection[EmailMessage] = ()
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            groups = part.get_payload()  # type: ignore[assignment]  # a list of headers, in this type
    first, *rest = groups
    token = _TOKEN.search(octets)
    if token is None or not rest:
        return None
    recipients = tuple(
        (str(group["Final-Recipient"]).partition(";")[2].strip().strip("<>"), str(group["Action"]).lower())
        for group in rest
    )
    by = str(first["Reporting-MTA"]).partition(";")[2].strip()
    return Report(token=token[1].decode(), by=by, recipients=recipients)
