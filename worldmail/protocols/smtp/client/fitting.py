"""Whether this peer can take this message, and what must be done to it first.

What cannot go is said at once and not even tried: `Unfit` for a whole message, a fate for a single recipient.
"""

from __future__ import annotations

from attrs import evolve, frozen

from worldmail.interfaces.outbound import Fate, IOutgoingContent, Phase, RecipientFate, Shipment
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope
from worldmail.mail.mime.headers import headers_are_ascii
from worldmail.protocols.smtp.client.channel import Channel
from worldmail.protocols.smtp.client.commands import dsn_parameters, mail_line, rcpt_line, submitter_parameter
from worldmail.protocols.smtp.client.content import converted, is_ascii, is_text
from worldmail.protocols.smtp.client.means import Conversion
from worldmail.protocols.smtp.client.unfit import Unfit, unfit
from worldmail.protocols.smtp.client.wishes import say, telling_delay, with_priority
from worldmail.protocols.smtp.xforward import xforward_lines

_NO_ROOM = RecipientFate(
    fate=Fate.DEFERRED,
    status="4.5.3",
    phase=Phase.RCPT,
    reason="There are more recipients than the server takes at once",
    again=True,
)


@frozen(kw_only=True)
class Fitted:
    """A message that can go.

    Args:
        facts: what is said before, of where the message came from; whatever the answer is.
        commands: MAIL, and RCPT for each of `asked`.
        asked: the recipients that go, by their places.
        fates: of those that do not.
        binary: the content's octets are no lines.
        deliver_by: the time by which it is to be delivered goes with it, or is kept here.
    """

    commands: list[bytes]
    facts: list[bytes]
    asked: list[int]
    fates: dict[int, RecipientFate]
    content: IOutgoingContent
    binary: bool
    dsn: bool
    deliver_by: bool


async def fit(channel: Channel, shipment: Shipment) -> Fitted:
    """Settle it all. Raises `Unfit`, and what reading the content raises."""
    capabilities, envelope = channel.capabilities, shipment.envelope
    limit = capabilities.size
    if limit and shipment.content.size > limit:
        raise _too_large()
    said = say(channel, shipment)
    content = await with_priority(channel, shipment)
    parameters, utf8 = said.parameters, False
    if envelope.smtputf8 or not _has_ascii_addresses(envelope):
        if capabilities.smtputf8:
            utf8 = True
            parameters += " SMTPUTF8"  # RFC 6531 §3.4
        else:
            envelope = _in_a_labels(envelope)
            await _do_without_utf8(envelope, content)
    body, content = await _fit_body(channel, envelope.body, content)
    if limit and content.size > limit:
        raise _too_large()
    if limit is not None:
        parameters += f" SIZE={content.size}"  # RFC 1870 §6
    dsn = capabilities.dsn
    if dsn:
        parameters += dsn_parameters(envelope)
    if channel.hop.login is not None and capabilities.mechanisms:
        parameters += submitter_parameter(envelope)
    fitted = Fitted(
        commands=[mail_line(envelope.sender, body, parameters)],
        facts=_facts(channel, shipment),
        asked=[],
        fates={},
        content=content,
        binary=body is Body.BINARY,
        dsn=dsn,
        deliver_by=said.in_time,
    )
    if said.tell_delay:
        envelope = evolve(envelope, recipients=tuple(map(telling_delay, envelope.recipients)))
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
            fitted.commands.append(rcpt_line(recipient, dsn=fitted.dsn, utf8=utf8))


def _admit(domains: set[str], address: Address, most: int) -> bool:
    """Count the domains of this session (RFC 9422 §4.3: RCPTDOMAINMAX)."""
    domain = address.domain_key
    if domain not in domains and len(domains) >= most:
        return False
    domains.add(domain)
    return True


def _facts(channel: Channel, shipment: Shipment) -> list[bytes]:
    """XFORWARD, for a server that is to be told."""
    names, facts = channel.capabilities.xforward, shipment.origin
    return xforward_lines(facts, names) if names and facts is not None and channel.hop.tells_origin else []


def _has_ascii_addresses(envelope: Envelope) -> bool:
    """Addresses can lead to others that need more than the client declared."""
    if envelope.sender is not None and not envelope.sender.is_ascii:
        return False
    return all(recipient.address.is_ascii for recipient in envelope.recipients)


def _in_a_labels(envelope: Envelope) -> Envelope:
    """Domains in A-labels, where the local parts need nothing of SMTPUTF8 (RFC 6531 §3.2)."""
    recipients = [evolve(one, address=one.address.in_a_labels()) for one in envelope.recipients]
    sender = None if envelope.sender is None else envelope.sender.in_a_labels()
    return evolve(envelope, sender=sender, recipients=tuple(recipients))


async def _do_without_utf8(envelope: Envelope, content: IOutgoingContent) -> None:
    """A message that was declared SMTPUTF8 may still need nothing of it (RFC 6531 §3.2)."""
    if envelope.sender is not None and not envelope.sender.is_ascii:
        raise _needs_utf8("The sender's address")
    if envelope.smtputf8 and not (await is_ascii(content) or await headers_are_ascii(content.chunks())):
        raise _needs_utf8("A header of the message", "5.6.9")


def _needs_utf8(what: str, status: str = "5.6.7") -> Unfit:
    """Statuses of RFC 6531 §4.2: X.6.7 for an address, X.6.9 for a header."""
    return unfit(status, f"{what} needs SMTPUTF8, which the server does not have")


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
    if body is Body.SEVEN_BIT and (capabilities.eight_bit if inline is None else inline.isascii()):
        return body, content  # as was said of it
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
