"""Handing a message to another server: one transaction with the next hop, and what became of each recipient.

Who asks (the queue) knows where a message goes and what its sender wishes; who answers (an SMTP or LMTP client)
knows how to say it. Nothing here decides about another attempt.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable

from attrs import field, frozen
from zope.interface import Attribute, Interface

from worldmail.errors import WorldMailError
from worldmail.interfaces.protocol import IDialogue
from worldmail.mail.envelope import Envelope, Facts, TlsFacts


class Security(enum.Enum):
    """What a route asks of the connection.

    NEVER: no STARTTLS. OPPORTUNISTIC: if it is offered, whatever the certificate (RFC 7435). ENCRYPTED: or not at
    all, whatever the certificate. VERIFIED: or not at all, with a certificate for the hop's name (RFC 9525).
    PINNED: or not at all, with a certificate whose key is one of the hop's `pins`, whatever else it says; see also
    `Hop.renews`.
    """

    NEVER = "never"
    OPPORTUNISTIC = "opportunistic"
    ENCRYPTED = "encrypted"
    VERIFIED = "verified"
    PINNED = "pinned"

    @property
    def proves(self) -> bool:
        """The server proves who it is: a password may go there."""
        return self in (Security.VERIFIED, Security.PINNED)


@frozen(kw_only=True)
class Login:
    """How to sign in there (RFC 4954). `password` never reaches a log or a trace.

    `plaintext`: it may be sent without TLS to others than the loopback too.
    """

    user: str
    password: str = field(repr=False)
    plaintext: bool = False


@frozen(kw_only=True)
class Hop:
    """One server, and how it is spoken to.

    Args:
        host: its name, for certificates, SNI and the log (an address in text where it has none).
        addresses: IP addresses in text, tried in this order.
        port: its port.
        lmtp: LMTP (RFC 2033) instead of SMTP.
        security: what is asked of the connection.
        implicit_tls: TLS from the first octet on (RFC 8314 §3.3).
        login: whom to sign in as, None for nobody.
        helo: the name we give in EHLO.
        source: our own addresses to connect from, at most one of each IP version.
        tells_origin: the server is told where a message came from to us, if it wants to know (`Shipment.origin`).
        by_dns: the DNS named the host, which nobody can vouch for: that its certificate is its own says little.
        pins: of PINNED: the SHA-256, in hex, of the public keys (SubjectPublicKeyInfo) that are good (RFC 7469 §2.4).
        signed_in: it proved who it is by signing in to us, on the connection that it opened (RFC 2645).
        renews: of PINNED: so is a certificate with another key if it is for the hop's name, by a trusted authority, as
            VERIFIED asks; whoever keeps the pins is told (`Shown`).
    """

    host: str
    addresses: tuple[str, ...]
    port: int
    helo: str
    lmtp: bool = False
    security: Security = Security.OPPORTUNISTIC
    implicit_tls: bool = False
    login: Login | None = None
    source: tuple[str, ...] = ()
    by_dns: bool = False
    tells_origin: bool = False
    signed_in: bool = False
    pins: frozenset[str] = frozenset()
    renews: bool = False


NOT_PINNED = "is not the one that was pinned"
"""Words that stand in each refusal of a server for its key."""


@frozen(kw_only=True)
class Shown:
    """What a server of a PINNED hop proved by its handshake.

    Args:
        pin: of the key that it has; "" if none could be read.
        pinned: it is one of the hop's.
        distrust: why nobody but the pin vouches for it, in words; None if its certificate verifies for the hop's name.
    """

    pin: str
    pinned: bool
    distrust: str | None


class Phase(enum.Enum):
    """Where in the conversation something was said or went wrong."""

    NAME = "name"  # looking the host up
    CONNECT = "connect"
    GREETING = "greeting"
    HELLO = "hello"
    TLS = "tls"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"  # the message itself, up to the reply to its end


@frozen(kw_only=True)
class Reply:
    """What the peer said (RFC 5321 §4.2): `lines` without codes, cleaned of controls, bounded.

    `enhanced` is the code of RFC 3463, "5.1.1", or None if it gave none that fits the reply code.
    """

    code: int
    enhanced: str | None
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """On one line, as it is kept and shown."""
        return " ".join(filter(None, (str(self.code), self.enhanced, " ".join(self.lines))))


class Fate(enum.Enum):
    """What became of one recipient in one transaction."""

    DELIVERED = "delivered"  # the peer is responsible for it now (RFC 5321 §6.1)
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"  # all was sent and no reply was seen: the peer may have it


@frozen(kw_only=True)
class RecipientFate:
    """What became of one recipient, and why.

    Args:
        status: a code of RFC 3463: the peer's, else one that says what happened.
        phase: what was under way.
        reply: the peer's words; None if it is our finding alone.
        reason: in a sentence what happened, for people (ASCII); for peers' words see `reply`.
        again: of a deferred one: nothing is wrong with it, there was no room for it in this transaction or session
            (RFC 5321 §4.5.3.1.10, RFC 9422 §4); it can go with the next one at once.
    """

    fate: Fate
    status: str
    phase: Phase
    reply: Reply | None = None
    reason: str = ""
    again: bool = False


@frozen(kw_only=True)
class Outcome:
    """What became of a transaction: a fate for each recipient, in their order.

    Args:
        dsn: the peer took our DSN wishes over (RFC 3461 §5.2.1): success is its to report.
        deliver_by: it took over by when the message is to be delivered (RFC 2852 §4).
        server: the peer as the trace names it: "mx.example[192.0.2.1]:25".
        tls: what was negotiated, None in the clear.
    """

    fates: tuple[RecipientFate, ...]
    dsn: bool
    server: str
    tls: TlsFacts | None = None
    deliver_by: bool = False


@frozen(kw_only=True)
class Trouble:
    """Why there is no conversation at all: of the whole hop, no single recipient's fault."""

    fate: Fate
    status: str
    phase: Phase
    server: str
    reply: Reply | None = None
    reason: str = ""


class HopFailed(WorldMailError):
    """There is no conversation with this hop; `trouble` says why. Another address or host may do better."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason or str(trouble.reply))
        self.trouble = trouble


class IOutgoingContent(Interface):
    """The octets of a message on its way out, as they are in the store."""

    size = Attribute("int: how many octets there are")
    inline = Attribute("bytes | None: all of them, if they are in memory")

    def chunks() -> AsyncIterator[bytes]:
        """All octets from the first on, in chunks of bounded size; may be called again."""


@frozen(kw_only=True)
class Wishes:
    """What goes with a message beside its envelope.

    Args:
        require_tls: REQUIRETLS (RFC 8689).
        deliver_by: the moment (epoch seconds) and "N" or "R" of DELIVERBY (RFC 2852 §4), None if none was asked;
            `trace_by` is its T.
        priority: MT-PRIORITY (RFC 6710), None if none was given.
        release: for when FUTURERELEASE was asked for, in the words of a report ("for;3600", RFC 4865 §5), None if not.
    """

    require_tls: bool = False
    deliver_by: tuple[int, str] | None = None
    trace_by: bool = False
    priority: int | None = None
    release: str | None = None


@frozen(kw_only=True)
class Shipment:
    """One transaction: an envelope (its recipients are those of this transaction) and its content.

    `bounce`: the message itself is from nobody, not this transaction alone (RFC 8689 §5). `origin`: how we had it, for
    a hop that is told (`Hop.tells_origin`).
    """

    id: str
    envelope: Envelope
    wishes: Wishes
    content: IOutgoingContent
    bounce: bool = False
    origin: Facts | None = None


class IConversation(Interface):
    """An open connection to a server that takes mail: one transaction after another.

    A connection that its peer closed while it was idle is not `usable` any more; if that was not known in time, the
    fates of the transaction that was sent into it say so.
    """

    server = Attribute("str: the peer as the trace names it")
    recipients = Attribute("int: the most recipients that a transaction may have (RFC 9422 RCPTMAX), bounded by us")
    dsn = Attribute("bool: the peer knows what is wished of reports (RFC 3461 §4)")
    usable = Attribute("bool: another transaction may be begun (MAILMAX is not reached, the peer did not close)")

    def send(shipment: Shipment) -> Awaitable[Outcome]:
        """Carry one transaction through. Never fails: whatever goes wrong is a fate.

        Another may be asked for before that: it goes behind, before the replies to this one came if the conversation
        can have that.

        Recipients beyond `recipients` are deferred, to go `again`.
        """

    def close() -> Awaitable[None]:
        """QUIT, and wait for the end, a bounded time. Harmless a second time."""

    def abort() -> None:
        """Drop the connection now: what is under way ends as it must, with unknown fates if all was sent."""


class IHandedOver(IConversation):
    """A conversation over a connection that its other end opened, and handed over (RFC 2645)."""

    dialogue = Attribute("IDialogue: what is to take the connection over")

    def ready() -> Awaitable[None]:
        """Wait until it is greeted. Raises `HopFailed`. To be called once."""

    def beat() -> Awaitable[None]:
        """Say what means nothing (NOOP), and wait for the answer. Raises `HopFailed` if there is none soon."""

    def ended() -> Awaitable[None]:
        """Wait until the connection is gone, whoever closed it."""


class IOutbound(Interface):
    """Finds its way to servers that take mail."""

    def connect(hop: Hop) -> Awaitable[IConversation]:
        """A conversation, greeted, in TLS and signed in as the hop asks. Raises `HopFailed`.

        With OPPORTUNISTIC security a handshake that fails is followed by one attempt in the clear.
        """

    def over(hop: Hop) -> IHandedOver:
        """A conversation over a connection that is there; its addresses and port mean nothing."""


class IConnector(Interface):
    """Opens connections and runs dialogues on them as a client."""

    def connect(make_dialogue: Callable[[], IDialogue], hop: Hop) -> Awaitable[IDialogue]:
        """The dialogue, made and `opened`, on a connection to one of the addresses; in TLS where that is implicit.

        On `StartTls` it begins a handshake as a client, for `hop.host` and as strict as `hop.security` asks, and calls
        `secured`; one that fails closes the connection (`closed` says why). `Peer.wake` and `Peer.abort` work until
        `closed` was called. The time that the peer has (`timeout`) begins anew with each thing that is sent to it.

        Raises: `HopFailed` (CONNECT; TLS where it is implicit), when no address is left to try.
        """
