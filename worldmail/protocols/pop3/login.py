"""From "who it is, is known" to the TRANSACTION state: what PASS, APOP and AUTH have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.errors import MailboxInUse, Refusal, TemporaryFailure, TooManyRequests
from worldmail.interfaces.directory import Account
from worldmail.interfaces.store import IMaildropLock
from worldmail.protocols.pop3.maildrop import INBOX, Maildrop
from worldmail.wire.effects import Effects

if TYPE_CHECKING:
    from worldmail.protocols.pop3.session import Session


class NoMaildrop(Refusal):
    """The account has no INBOX."""

    code = 550
    enhanced = "5.2.0"
    text = "This account has no maildrop"


async def sign_in(session: Session, account: Account) -> Effects:
    """Lock the account's maildrop, open it and enter the TRANSACTION state (RFC 1939 §4).

    The account may have changed since its credentials were verified (SCRAM ends with one more line of the client):
    it is looked at again, from under the watch over its changes.

    Raises: `LoginTooSoon`, `MailboxInUse`, `TooManyRequests`, `TemporaryFailure`, `NoMaildrop`, `AccountChanged`;
    everything is given back then.
    """
    world, delays = session.world, session.site.delays
    now = world.clock.seconds()
    delays.check(account.id, now)
    lock = await world.mailboxes.lock_maildrop(account.id)
    if lock is None:
        raise MailboxInUse
    if not world.limits.sign_in(account.id, session.peer.host):
        lock.release()
        raise TooManyRequests("Too many sessions of this account, please try again later")
    cancel = world.changes.subscribe("account", session.account_changed, account.id)

    def forget() -> None:
        cancel()
        world.limits.sign_out(account.id)

    try:
        await session.check_account(account)
        maildrop = await _opened(session, account, lock)
    except BaseException:
        forget()
        lock.release()
        raise
    delays.signed_in(account.id, now)
    session.enter(account, maildrop, forget)
    return session.ok(f"Maildrop has {maildrop.count} messages ({maildrop.octets} octets)")


async def _opened(session: Session, account: Account, lock: IMaildropLock) -> Maildrop:
    mailboxes = session.world.mailboxes
    status = await mailboxes.status(account.id, INBOX)
    if status is None:
        raise NoMaildrop
    if session.gone:
        raise TemporaryFailure(reason="the client left during the login")
    return Maildrop(store=mailboxes, lock=lock, status=status)
