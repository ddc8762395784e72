"""What a runner has in its hands: messages, with those of their recipients that it leased."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import asdict, define, evolve, frozen

from worldmail.interfaces.outbound import IOutgoingContent, Wishes
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope, Facts, Notify, Origin, OriginalRecipient, Recipient, Return

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@frozen(kw_only=True)
class Message:
    """A queued message; `envelope` has no recipients here.

    Args:
        id: of its row.
        acceptance: its acceptance id.
        report: it is itself a report, about which nobody is told.
        told: octets as everybody gets them who takes lines alone (`interfaces.store.StagedContent`).
        sole: nothing but the queue ever had its content.
        client, helo: who handed it to us.
        facts: of the first client that is known (`Origin.facts`).
    """

    id: int
    acceptance: str
    content_id: int
    envelope: Envelope
    wishes: Wishes
    size: int
    told: int
    accepted: int
    report: bool
    sole: bool
    client: str = ""
    helo: str = ""
    facts: Facts = Facts()


@define(kw_only=True, eq=False)
class Leased:
    """One recipient that is leased. `attempts` counts the one that is under way; `warned`: see `lateness`.

    `runner_id`: whom it is leased to, as far as we know. `named`: it goes with the message's sender, whatever it wishes
    (`batches`).
    """

    id: int
    recipient: Recipient
    attempts: int
    expires: int
    warned: int
    runner_id: int = 0
    named: bool = False


@frozen
class Attempt:
    """One try of a recipient, as reports tell of it.

    Args:
        server: who was spoken to, a DNS name or an address literal; None if nobody was.
        at: epoch seconds; None if nobody was to be spoken to.
    """

    server: str | None = None
    at: int | None = None


@define(kw_only=True, eq=False)
class Job:
    """One message for one destination, as far as it is leased.

    Args:
        recipients: those of whom it is not yet known what became of them.
        held: octets of content that are counted for it.
    """

    message: Message
    recipients: list[Leased]
    content: IOutgoingContent | None = None
    held: int = 0

    def part(self, recipients: list[Leased]) -> Job:
        """A job for some of its recipients, which has all that this one held in memory."""
        part = evolve(self, recipients=recipients)
        left = {leased.id for leased in recipients}
        self.recipients = [leased for leased in self.recipients if leased.id not in left]
        self.held = 0
        return part

    def take_out(self, some: Iterable[Leased]) -> None:
        """These are not in hand any more."""
        ids = {leased.id for leased in some}
        self.recipients = [leased for leased in self.recipients if leased.id not in ids]

    @property
    def priority(self) -> int:
        """Of MT-PRIORITY, 0 where none was given."""
        return self.message.wishes.priority or 0

    def envelope(self, recipients: Sequence[Leased]) -> Envelope:
        """The envelope of a transaction with these recipients."""
        kept = self.message.envelope
        return Envelope(
            sender=kept.sender,
            recipients=tuple([leased.recipient for leased in recipients]),
            body=kept.body,
            smtputf8=kept.smtputf8,
            size=self.message.size,
            envelope_id=kept.envelope_id,
            returns=kept.returns,
            submitter=kept.submitter,
        )


def write_envelope(envelope: Envelope, wishes: Wishes, origin: Origin, told: int | None) -> str:
    """What else MAIL said, and where it came from, as a row keeps it: a JSON object of what is not the rule.

    `told` is None if it is the size.
    """
    kept: dict[str, Any] = {"client": origin.client}
    if origin.helo:
        kept["helo"] = origin.helo
    if origin.protocol:
        kept["proto"] = origin.protocol
    if origin.facts is origin.told:
        kept["first"] = asdict(origin.facts, filter=_is_known)
    if told is not None:
        kept["told"] = told
    if envelope.body is not Body.SEVEN_BIT:
        kept["body"] = envelope.body.value
    if envelope.smtputf8:
        kept["smtputf8"] = True
    if envelope.envelope_id is not None:
        kept["envid"] = envelope.envelope_id
    if envelope.submitter is not None:
        kept["auth"] = str(envelope.submitter)
    if envelope.returns is not None:
        kept["ret"] = envelope.returns.value
    _keep_wishes(kept, wishes)
    return _to_json(kept)


def _is_known(attribute: Any, value: Any) -> bool:
    return bool(value != attribute.default)


def _keep_wishes(kept: dict[str, Any], wishes: Wishes) -> None:
    if wishes.require_tls:
        kept["requiretls"] = True
    if wishes.deliver_by is not None:
        kept["by"] = [*wishes.deliver_by, wishes.trace_by]
    if wishes.priority is not None:
        kept["priority"] = wishes.priority
    if wishes.release is not None:
        kept["release"] = wishes.release


def read_envelope(sender: str, text: str) -> tuple[Envelope, Wishes, Origin, int | None]:
    """The reverse of `write_envelope`: of the origin, as far as it is kept; `told` as there."""
    kept: Mapping[str, Any] = json.loads(text)
    returns, by, submitter = kept.get("ret"), kept.get("by"), kept.get("auth")
    envelope = Envelope(
        sender=Address.parse(sender) if sender else None,
        body=Body(kept.get("body", Body.SEVEN_BIT.value)),
        smtputf8=kept.get("smtputf8", False),
        envelope_id=kept.get("envid"),
        returns=None if returns is None else Return(returns),
        submitter=None if submitter is None else Address.parse(submitter),
    )
    wishes = Wishes(
        require_tls=kept.get("requiretls", False),
        deliver_by=None if by is None else (by[0], by[1]),
        trace_by=by is not None and by[2],
        priority=kept.get("priority"),
        release=kept.get("release"),
    )
    first = kept.get("first")
    origin = Origin(
        session="",
        protocol=kept.get("proto", ""),
        client=kept.get("client", ""),
        helo=kept.get("helo", ""),
        told=None if first is None else Facts(**first),
    )
    return envelope, wishes, origin, kept.get("told")


def write_wishes(recipient: Recipient) -> str | None:
    """NOTIFY and ORCPT of a recipient, as a row keeps them; None for neither."""
    if recipient.notify is None and recipient.original is None:
        return None
    kept: dict[str, Any] = {}
    if recipient.notify is not None:
        kept["notify"] = sorted(wish.value for wish in recipient.notify)
    if recipient.original is not None:
        kept["orcpt"] = [recipient.original.address_type, recipient.original.address]
    return _to_json(kept)


def read_recipient(address: str, wishes: str | None) -> Recipient:
    """The reverse of `write_wishes`."""
    if wishes is None:
        return Recipient(address=Address.parse(address))
    kept: Mapping[str, Any] = json.loads(wishes)
    notify, original = kept.get("notify"), kept.get("orcpt")
    return Recipient(
        address=Address.parse(address),
        notify=None if notify is None else frozenset(Notify(wish) for wish in notify),
        original=None if original is None else OriginalRecipient(address_type=original[0], address=original[1]),
    )
