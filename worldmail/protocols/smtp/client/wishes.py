"""What goes with a message, said in the words of this peer: REQUIRETLS, DELIVERBY, MT-PRIORITY (RFC 8689, 2852, 6710).

A peer that does not know one of them is told in another way where there is one (a field of the message for its
priority, RFC 6758; a report on delay for its time, RFC 2852 §4.1.4.2), or does not get the message.
"""

from __future__ import annotations

from attrs import evolve, frozen

from worldmail.interfaces.outbound import IOutgoingContent, Shipment
from worldmail.mail.envelope import Notify, Recipient
from worldmail.mail.header import Header
from worldmail.protocols.smtp.client.channel import Channel
from worldmail.protocols.smtp.client.content import with_header
from worldmail.protocols.smtp.client.unfit import Unfit, unfit
from worldmail.protocols.smtp.priorities import FIELD, tunnelled

_MOST = 999_999_999  # seconds, RFC 2852 §4
_UNSAID = frozenset({Notify.FAILURE, Notify.DELAY})  # RFC 2852 §4.1.4.2


@frozen(kw_only=True)
class Said:
    """How it is said.

    Args:
        parameters: of MAIL; begins with a space, or is empty.
        in_time: the peer took over by when the message is to be delivered, or delivers it now.
        tell_delay: it knows nothing of that time, and is to report delays, if it can.
    """

    parameters: str
    in_time: bool = False
    tell_delay: bool = False


def say(channel: Channel, shipment: Shipment) -> Said:
    """All of it. Raises `Unfit`."""
    wishes = shipment.wishes
    said = Said(parameters="")
    if wishes.deliver_by is not None:
        said = _deliver_by(channel, *wishes.deliver_by, trace=wishes.trace_by)
    before = _require_tls(channel, bounce=shipment.bounce) if wishes.require_tls else ""
    # Each message has a priority, also where none was given (RFC 6758 §3.2).
    behind = f" MT-PRIORITY={wishes.priority or 0}" if channel.capabilities.priority else ""
    return evolve(said, parameters=before + said.parameters + behind)


def _require_tls(channel: Channel, *, bounce: bool) -> str:
    """The parameter: only where all of RFC 8689 §4.2.1 holds. A bounce rather goes without it (§5)."""
    lacking = _lacking(channel)
    if lacking is None:
        return " REQUIRETLS"
    if bounce:
        return ""
    raise lacking


def _lacking(channel: Channel) -> Unfit | None:
    """What this session lacks for a message that requires TLS all the way; None for nothing (RFC 8689 §4.2.1).

    Who fetches (RFC 2645) is authenticated too, in that TLS: it is the client there, and has no certificate to show.
    """
    tls = channel.peer.tls
    if tls is None:
        return unfit("5.7.10", "The message requires TLS all the way, and there is none with this server")
    if channel.hop.by_dns:
        # Step 2: an MX record needs a signature, or MTA-STS, neither of which we look for.
        return unfit("5.7.30", "The message requires TLS to a server whose name is no word of the DNS alone")
    if not (tls.verified or channel.hop.signed_in):
        return unfit("5.7.10", "The message requires TLS with a server that has to prove its name")
    if not channel.capabilities.require_tls:
        return unfit("5.7.30", "The message requires TLS all the way, which the server does not promise")
    return None


def _deliver_by(channel: Channel, moment: int, mode: str, *, trace: bool) -> Said:
    """BY with the time that is left (RFC 2852 §4); "R": in time or not at all, "N": it may be late, and is told so.

    The shortest time that a server takes is for "R" alone. LMTP hands the message to its mailbox, which is what that
    RFC calls delivery (§1): nobody needs to be told of a time any more.
    """
    left = moment - int(channel.means.clock.now())
    shortest = channel.capabilities.deliver_by
    if mode == "R" and left <= 0:
        raise unfit("5.4.7", "The time to deliver the message is over")
    if shortest is None:
        if channel.hop.lmtp:
            return Said(parameters="", in_time=True)
        if mode == "R":
            raise unfit("5.4.7", "The server cannot be asked to deliver the message in time")
        return Said(parameters="", tell_delay=left > 0)
    if mode == "R" and left < shortest:
        raise unfit("5.4.7", "The server does not deliver in the time that is left")
    left = max(-_MOST, min(_MOST, left))
    return Said(parameters=f" BY={left};{mode}{'T' if trace else ''}", in_time=True)


def telling_delay(recipient: Recipient) -> Recipient:
    """With DELAY among its wishes, unless it is never to be reported on (RFC 2852 §4.1.4.2, in spite of RFC 3461)."""
    notify = _UNSAID if recipient.notify is None else recipient.notify
    return recipient if Notify.NEVER in notify else evolve(recipient, notify=notify | {Notify.DELAY})


async def with_priority(channel: Channel, shipment: Shipment) -> IOutgoingContent:
    """The content; with its priority in a field, if it was given one and the peer knows none (RFC 6758 §3.3)."""
    priority, content = shipment.wishes.priority, shipment.content
    if priority is None or channel.capabilities.priority:
        return content
    return await with_header(content, lambda raw: _tunnel(raw, priority))


def _tunnel(raw: bytes, priority: int) -> bytes:
    header = Header(raw)
    if tunnelled(header) == priority:
        return raw
    return b"MT-Priority: %d\r\n" % priority + header.without((FIELD,))
