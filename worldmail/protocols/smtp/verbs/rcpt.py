"""RCPT adds a recipient, who is looked up at once (RFC 5321 §4.1.1.3)."""

from __future__ import annotations

from worldmail.errors import NoSuchRecipient, Refusal, RelayDenied
from worldmail.interfaces.directory import Account, Elsewhere, LocalAccount, NoSuchAddress, Resolution
from worldmail.interfaces.policy import RecipientRequest
from worldmail.mail.address import Address
from worldmail.mail.envelope import Recipient
from worldmail.protocols.smtp.grammar import RcptArguments, needs_smtputf8, parse_rcpt
from worldmail.protocols.smtp.replies import RECIPIENT_OK
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, arguments: RcptArguments) -> Effects:
    """Add the recipient, if mail for it is taken."""
    transaction = session.transaction
    assert transaction is not None
    world = session.entrance.world
    if len(transaction.recipients) >= session.entrance.settings.recipients:
        raise Refusal("Too many recipients", code=452, enhanced="4.5.3")  # RFC 5321 §4.5.3.1.10
    if arguments.needs_utf8 and not transaction.arguments.smtputf8:
        raise needs_smtputf8()
    address = _qualified(session, arguments.address)
    resolution = await world.directory.resolve(address)
    recipient = Recipient(address=address, notify=arguments.notify, original=arguments.original)
    request = RecipientRequest(
        asker=session.asker,
        sender=transaction.sender,
        recipient=recipient,
        resolution=resolution,
        count=len(transaction.recipients),
        size=transaction.arguments.size,
    )
    waiting = world.policy.ask(request)
    if waiting is not None:
        await waiting
    accounts = local_accounts(resolution)
    base, tag = address.split_subaddress(session.entrance.delimiters)
    if tag is None:
        transaction.add(recipient, accounts)
    else:
        transaction.add(recipient, accounts, await _tagged(session, accounts, address, base, tag))
    return (RECIPIENT_OK,)


async def _tagged(
    session: Session, accounts: list[Account], address: Address, base: Address, tag: str
) -> dict[int, str]:
    """The mailboxes that a detail asks for, by account: of those that the address without it names themselves.

    A sender who signed in may have a right of its own to post there (RFC 5233 §1, RFC 4314 §2.1).
    """
    sender = None if session.account is None else session.account.address
    found = {}
    for account in accounts:
        if account.address.local_key == base.local_key != address.local_key:
            name = await session.entrance.world.folders.delivery_folder(account.id, tag, sender)
            if name is not None:
                found[account.id] = name
    return found


def local_accounts(resolution: Resolution) -> list[Account]:
    """Whose mailboxes the message goes to.

    Raises: `RelayDenied` if any of it leads elsewhere, since nothing can be sent on; `NoSuchRecipient` if
        nothing is left. An alias of which only some targets exist leads to those.
    """
    accounts = []
    disabled = False
    for destination in resolution.destinations:
        if isinstance(destination, LocalAccount):
            accounts.append(destination.account)
        elif isinstance(destination, Elsewhere):
            raise RelayDenied
        elif isinstance(destination, NoSuchAddress):
            disabled = disabled or destination.disabled
    if not accounts:
        if disabled:
            raise NoSuchRecipient("Mailbox is disabled", enhanced="5.2.1")  # RFC 3463 §3.3
        raise NoSuchRecipient
    return accounts


def _qualified(session: Session, address: Address) -> Address:
    """With a domain: our user's own (RFC 6409 §6.1). Postmaster needs none (RFC 5321 §4.5.1)."""
    if address.domain or address.local_key == "postmaster":
        return address
    if session.account is None:
        raise Refusal("The recipient's address needs a domain", code=501, enhanced="5.1.3")
    return address.qualified(session.account.address.domain)


RCPT = Command(
    word=b"RCPT",
    states=frozenset((State.MAIL,)),
    parse=parse_rcpt,
    run=run,
    rfc="RFC 5321 §4.1.1.3",
)
