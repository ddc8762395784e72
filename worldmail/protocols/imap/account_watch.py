"""Who signed in, and whether that is still so: what LOGIN and AUTHENTICATE have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from worldmail.errors import TemporaryFailure, TooManyRequests
from worldmail.interfaces.directory import Account
from worldmail.protocols.imap.replies import AccountChanged
from worldmail.protocols.imap.rows import Done

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


async def sign_in(session: Session, account: Account) -> Done:
    """Enter the authenticated state (RFC 9051 §6.2.2, §6.2.3); the tagged OK tells the capabilities.

    The account may have changed since its credentials were verified (SCRAM ends with one more line of the client):
    it is looked at again, from under the watch over its changes.

    Raises: `TooManyRequests`, `TemporaryFailure`, `AccountChanged`; everything is given back then.
    """
    world = session.world
    if not world.limits.sign_in(account.id, session.peer.host):
        raise TooManyRequests("Too many sessions of this account, please try again later")

    cancel = world.changes.subscribe("account", partial(_changed, session), account.id)
    forget = partial(_forget, cancel, world.limits.sign_out, account.id)
    try:
        await check(session, account)
        if session.gone:
            raise TemporaryFailure(reason="the client left during the login")
    except BaseException:
        forget()
        raise
    session.enter(account, forget)
    return Done(code=b"CAPABILITY " + session.capabilities(), text="You are signed in")


def _changed(session: Session, notice: object) -> None:
    session.revoked = True
    session.wake()


def _forget(cancel: Callable[[], None], sign_out: Callable[[int], None], account_id: int) -> None:
    cancel()
    sign_out(account_id)


async def check(session: Session, known: Account) -> None:
    """Raise `AccountChanged` if the account is gone or switched off, or has other credentials or rights."""
    session.revoked = False
    try:
        if not known.is_still(await session.world.directory.account(known.address)):
            raise AccountChanged
    except BaseException:
        session.revoked = True  # it has to be looked at again
        raise
