"""What a report is made of, and what comes out."""

from __future__ import annotations

import enum

from attrs import field, frozen

from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope, Notify, Origin, Recipient, Return


class Action(enum.Enum):
    """What happened to a recipient, in the words of RFC 3464 §2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@frozen(kw_only=True)
class Happening:
    """What happened to one recipient.

    Args:
        recipient: as the message came with it: its address is the Final-Recipient (RFC 3461 §6.3).
        status: a code of RFC 3463; one that does not fit the action becomes X.0.0.
        reason: a sentence for people; "" for one that goes by the status.
        server: the DNS name or address literal of the server that was spoken to; None if there was none.
        reply: what it said, with its code: "550 5.1.1 No such user"; None if it said nothing.
        last_attempt: epoch seconds; None if nothing was attempted.
        retry_until: epoch seconds, of what is delayed.
        log_id: what the log and the trace know this recipient's way by.
    """

    recipient: Recipient
    action: Action
    status: str
    reason: str = ""
    server: str | None = None
    reply: str | None = None
    last_attempt: int | None = None
    retry_until: int | None = None
    log_id: str | None = None


@frozen(kw_only=True)
class Original:
    """The message that is reported on.

    Args:
        envelope: as it came; ENVID, RET, BODY and SMTPUTF8 count.
        header: its header as it is kept, without the empty line behind it.
        in_utf8: a header in it, at any level, is in UTF-8, which makes it a message/global (RFC 6532 §3.7).
        size: octets of the whole message.
        arrived: epoch seconds.
        origin: where it came from; None if that is not told.
        release: FUTURERELEASE, "for;3600" or "until;2030-03-17T17:46:40Z"; None if it was not to be held.
        deliver_by: epoch seconds, of DELIVERBY; None if it had no such time.
    """

    envelope: Envelope
    header: bytes
    size: int
    arrived: int
    origin: Origin | None = None
    release: str | None = None
    deliver_by: int | None = None
    in_utf8: bool = False


@frozen(kw_only=True)
class Notice:
    """What is to be reported, and to whom.

    Args:
        host: our name.
        to: the original's sender, or for one without a sender somebody here who looks after such mail.
        at: epoch seconds.
        message_id: of the report, without angle brackets; nobody can know it before. Boundaries follow from it.
        full_limit: octets of the largest message that is returned whole.
    """

    host: str
    to: Address
    original: Original
    happenings: tuple[Happening, ...]
    at: int
    message_id: str
    full_limit: int = 1 << 20


@frozen(kw_only=True)
class Report:
    """A report: `head`, then, if `original` is FULL, the octets of the original as they are kept, then `tail`.

    Attributes:
        original: what is returned; a header (HEADERS) stands in `head` already, None is nothing at all.
        body: what of body types the whole needs on its way (RFC 6152, RFC 3030).
        smtputf8: its own header needs SMTPUTF8 (RFC 6531).
        to: where it goes.
    """

    head: bytes = field(repr=False)
    original: Return | None
    tail: bytes = field(repr=False)
    body: Body
    smtputf8: bool
    to: Address

    @property
    def envelope(self) -> Envelope:
        """What it is sent with: from nobody, and never reported on itself (RFC 3461 §6.1)."""
        recipient = Recipient(address=self.to, notify=frozenset({Notify.NEVER}))
        return Envelope(sender=None, recipients=(recipient,), body=self.body, smtputf8=self.smtputf8)
