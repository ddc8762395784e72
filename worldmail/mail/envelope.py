"""The envelope of a message, and where it came from.

RFC 5321 §2.3.1 for the envelope, RFC 3461 §4 for what DSN adds to it.
"""

from __future__ import annotations

import enum

from attrs import field, frozen

from worldmail.mail.address import Address


class Body(enum.Enum):
    """What the client declared of the content (RFC 6152, RFC 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


class Notify(enum.Enum):
    """When a sender wants a report (RFC 3461 §4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


class Return(enum.Enum):
    """How much of the message a failure report returns (RFC 3461 §4.3)."""

    FULL = "FULL"
    HEADERS = "HDRS"


@frozen(kw_only=True)
class OriginalRecipient:
    """ORCPT, decoded from xtext: `address_type` such as "rfc822", `address` as it was (RFC 3461 §4.2)."""

    address_type: str
    address: str


@frozen(kw_only=True)
class Recipient:
    """One RCPT: the address as the client gave it (source route stripped) and its DSN wishes.

    `notify` is None where the client said nothing (RFC 3461 §4.1).
    """

    address: Address
    notify: frozenset[Notify] | None = None
    original: OriginalRecipient | None = None


@frozen(kw_only=True)
class Envelope:
    """One mail transaction as MAIL and RCPT gave it. `sender` is None for the null reverse-path.

    `size` is the client's declaration in octets (RFC 1870), None if it made none;
    `envelope_id` is ENVID decoded from xtext (RFC 3461 §4.4); `submitter` who submitted it first, if somebody whom we
    trust has said so (AUTH=, RFC 4954 §5), else None.
    """

    sender: Address | None
    recipients: tuple[Recipient, ...] = ()
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    size: int | None = None
    envelope_id: str | None = None
    returns: Return | None = None
    submitter: Address | None = None


@frozen(kw_only=True)
class TlsFacts:
    """What was negotiated: "TLSv1.3", the cipher suite, its key length in bits, the SNI name or None.

    `verified`: we are the client, and found the server's certificate good and its own (RFC 9525).
    """

    version: str
    cipher: str
    bits: int
    server_name: str | None = None
    verified: bool = False


@frozen(kw_only=True)
class Turned:
    """A connection that we opened, and whose other end then sent to us (RFC 2645).

    Args:
        relay: the server's name, as we know it.
        agent: the name of the agent that asked it for mail.
    """

    relay: str
    agent: str


@frozen(kw_only=True)
class Facts:
    """How a server had a message from its client, as it tells the next server that wants to know. "" is not known.

    Args:
        client, port: the client's IP address as text, and its port (0: not known).
        name: what the DNS calls the client.
        helo: the name that the client gave.
        protocol: as of `Origin`.
        local: the message began at that server; None if that is not known.
        id: that server's own id of the message.
        since: when it had the message, epoch seconds; 0 if that is not known.
    """

    client: str = ""
    port: int = 0
    name: str = ""
    helo: str = ""
    protocol: str = ""
    local: bool | None = None
    id: str = ""
    since: int = 0


@frozen(kw_only=True)
class Origin:
    """Where a message came from, for Received and for the trace.

    Args:
        session: the id of the session in the log.
        protocol: the RFC 3848 / RFC 6531 word, such as "ESMTPSA" or "UTF8SMTPS".
        client: the peer's IP address as text.
        helo: the name the peer gave in EHLO/HELO ("" if none).
        tls: what TLS negotiated, None in the clear.
        account: the address of the account that was signed in, None if none.
        turned: how it came about where we opened the connection: `client` is the relay then, not the mail's client.
        told: what the client, a server whom we trust with that, told of where it had the message from.
    """

    session: str
    protocol: str
    client: str
    helo: str = ""
    tls: TlsFacts | None = None
    account: str | None = None
    turned: Turned | None = None
    told: Facts | None = None

    @property
    def facts(self) -> Facts:
        """Of the message's first client that is known: ours, or that of the server that told of it."""
        told = self.told
        if told is not None and (told.client or told.name or told.helo):
            return told
        return Facts(client=self.client, helo=self.helo, protocol=self.protocol, local=not self.client)


@frozen(kw_only=True)
class Delivery:
    """One local destination of an accepted message: whose mailbox, and for which recipient.

    `account` is the account's own address, for those who ask later where the message went.
    """

    account_id: int
    mailbox: str = field(default="INBOX")
    recipient: Recipient
    account: Address | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether quotas count: mail for postmaster is taken in spite of them (RFC 5321 §4.5.1)."""
        return self.recipient.address.local_key != "postmaster"
