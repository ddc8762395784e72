"""Whether this peer can take this message, and what must be done to it first.

What cannot go is said at once and not even tried: `Unfit` for a whole message, a fate for a single recipient.
"""

from __future__ import annotations

from attrs import frozen

from worldmail.interfaces.outbound import Fate, IOutgoingContent, Phase, RecipientFate, Shipment
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope
from worldmail.protocols.smtp.client.channel import Channel
from worldmail.protocols.smtp.client.commands import dsn_parameters, mail_line, rcpt_line
from worldmail.protocols.smtp.client.content import converted, header_is_ascii, is_ascii, is_text
from worldmail.protocols.smtp.client.means import Conversion

_NO_ROOM = RecipientFate(
    fate=Fate.DEFERRED,
    status="4.5.3",
    phase=Phase.RCPT,
    reason="There are more recipients than the server takes at once",
    again=True,
)


class Unfit(Exception):
    """The message cannot go this way."""

    def __init__(self, fate: RecipientFate) -> None:
        super().__init__(fate.reason)
        self.fate = fate


@frozen(kw_only=True)
class Fitted:
    """A message that can go.

    Args:
        commands: MAIL, and RCPT for each of `asked`.
        asked: the recipients that go, by their places.
        fates: of those that do not.
        binary: the content's octets are no lines.
        deliver_by: the time by which it is to be delivered goes with it.
    """

    commands: list[bytes]
    asked: list[int]
    fates: dict[int, RecipientFate]
    content: IOutgoingContent
    binary: bool
    dsn: bool
    deliver_by: bool


def unfit(status: str, reason: str, phase: Phase = Phase.MAIL) -> Unfit:
    """Not now and not later."""
    return Unfit(RecipientFate(fate=Fate.FAILED, status=status, phase=phase, reason=reason))


async def fit(channel: Channel, shipment: Shipment) -> Fitted:
    """Settle it all. Raises `Unfit`, and what reading the content raises."""
    capabilities, envelope, content = channel.capabilities, shipment.envelope, shipment.content
    limit = capabilities.size
    if limit and content.size > limit:
        raise _too_large()
    parameters = _wishes(channel, shipment)
    timed = " BY=" in parameters
    utf8 = False
    if envelope.smtputf8 or not _has_ascii_addresses(envelope):
        if capabilities.smtputf8:
            utf8 = True
            parameters += " SMTPUTF8"  # RFC 6531 §3.4
        else:
            await _do_without_utf8(envelope, content)
    body, content = await _fit_body(channel, envelope.body, content)
    if limit and content.size > limit:
        raise _too_large()
    if limit is not None:
        parameters += f" SIZE={content.size}"  # RFC 1870 §6
    dsn = capabilities.dsn
    if dsn:
        parameters += dsn_parameters(envelope)
    fitted = Fitted(
        commands=[mail_line(envelope.sender, body, parameters)],
        asked=[],
        fates={},
        content=content,
        binary=body is Body.BINARY,
        dsn=dsn,
        deliver_by=timed,
    )
    _choose_recipients(channel, envelope, fitted, utf8=utf8)
    return fitted


def most_recipients(channel: Channel) -> int:
    """How many a transaction may have (RFC 9422 §4.2)."""
    own, theirs = channel.means.recipients, channel.capabilities.rcpt_max
    return min(own, theirs) if theirs else own


def _choose_recipients(channel: Channel, envelope: Envelope, fitted: Fitted, *, utf8: bool) -> None:
    most, most_domains = most_recipients(channel), channel.capabilities.domain_max
    for place, recipient in enumerate(envelope.recipients):
        address = recipient.address
        if not utf8 and not address.is_ascii:
            fitted.fates[place] = _needs_utf8("The recipient's address").fate
        elif len(fitted.asked) >= most or (most_domains and not _admit(channel.domains, address, most_domains)):
            fitted.fates[place] = _NO_ROOM
        else:
            fitted.asked.append(place)
            fitted.commands.append(rcpt_line(recipient, dsn=fitted.dsn))


def _admit(domains: set[str], address: Address, most: int) -> bool:
    """Count the domains of this session (RFC 9422 §4.3: RCPTDOMAINMAX)."""
    domain = address.domain_key
    if domain not in domains and len(domains) >= most:
        return False
    domains.add(domain)
    return True


def _wishes(channel: Channel, shipment: Shipment) -> str:
    """REQUIRETLS, DELIVERBY and MT-PRIORITY as parameters of MAIL."""
    wishes, capabilities = shipment.wishes, channel.capabilities
    text = ""
    if wishes.require_tls:
        tls = channel.peer.tls
        # RFC 8689 §4.2.1: the host's name too must come from where it cannot be forged.
        if tls is None or not tls.verified or channel.hop.by_dns or not capabilities.require_tls:
            raise unfit("5.7.30", "The message requires TLS all the way, which cannot be had with this server")
        text += " REQUIRETLS"
    if wishes.deliver_by is not None:
        text += _deliver_by(channel, *wishes.deliver_by, trace=wishes.trace_by)
    if wishes.priority is not None and capabilities.priority:
        text += f" MT-PRIORITY={wishes.priority}"  # RFC 6710 §4.2
    return text


def _deliver_by(channel: Channel, moment: int, mode: str, *, trace: bool) -> str:
    """BY with the time that is left (RFC 2852 §4); "R": in time or not at all, "N": it may be late, and is told so.

    The shortest time that a server takes is for "R" alone.
    """
    left = moment - int(channel.means.clock.now())
    shortest = channel.capabilities.deliver_by
    if mode == "R":
        if left <= 0:
            raise unfit("5.4.7", "The time to deliver the message is over")
        if shortest is None:
            raise unfit("5.4.7", "The server cannot be asked to deliver the message in time")
        if left < shortest:
            raise unfit("5.4.7", "The server does not deliver in the time that is left")
    elif shortest is None:
        return ""
    left = max(-999_999_999, min(999_999_999, left))
    return f" BY={left};{mode}{'T' if trace else ''}"


def _has_ascii_addresses(envelope: Envelope) -> bool:
    """Addresses can lead to others that need more than the client declared."""
    if envelope.sender is not None and not envelope.sender.is_ascii:
        return False
    return all(recipient.address.is_ascii for recipient in envelope.recipients)


async def _do_without_utf8(envelope: Envelope, content: IOutgoingContent) -> None:
    """A message that was declared SMTPUTF8 may still need nothing of it (RFC 6531 §3.2)."""
    if envelope.sender is not None and not envelope.sender.is_ascii:
        raise _needs_utf8("The sender's address")
    if envelope.smtputf8 and not await header_is_ascii(content):
        raise _needs_utf8("The message's header")


def _needs_utf8(what: str) -> Unfit:
    return unfit("5.6.7", f"{what} needs SMTPUTF8, which the server does not have")


async def _fit_body(channel: Channel, body: Body, content: IOutgoingContent) -> tuple[Body, IOutgoingContent]:
    """What to declare of the content, and the content, converted if it must be (RFC 6152 §3, RFC 3030 §3)."""
    capabilities = channel.capabilities
    inline = content.inline
    if inline is not None and body is not Body.BINARY and not is_text(inline):
        body = Body.BINARY  # whatever was said of it
    if body is Body.BINARY:
        if capabilities.binary:
            return body, content
        conversions = channel.means.conversions
        if capabilities.eight_bit:
            return Body.EIGHT_BIT, await _convert(channel, content, conversions.eight_bit)
        return Body.SEVEN_BIT, await _convert(channel, content, conversions.seven_bit)
    if body is Body.SEVEN_BIT and (inline is None or inline.isascii()):
        return body, content
    if capabilities.eight_bit:
        return Body.EIGHT_BIT, content
    if await is_ascii(content):
        return Body.SEVEN_BIT, content
    return Body.SEVEN_BIT, await _convert(channel, content, channel.means.conversions.seven_bit)


async def _convert(channel: Channel, content: IOutgoingContent, conversion: Conversion) -> IOutgoingContent:
    try:
        return await converted(content, conversion)
    except channel.means.conversions.impossible:
        reason = "The server cannot take the message as it is, and it cannot be converted without breaking it"
        raise unfit("5.6.3", reason) from None


def _too_large() -> Unfit:
    return unfit("5.3.4", "The message is larger than the server takes")  # RFC 1870 §6.1
