"""A signed-in session and its account: how many there may be, and that it still is what signed in."""

from __future__ import annotations

from worldmail.errors import Refusal, TooManyRequests
from worldmail.interfaces.directory import Account
from worldmail.interfaces.world import World


def count_in(world: World, account: Account, host: str) -> None:
    """One more session of this account. Raises `TooManyRequests`."""
    if not world.limits.sign_in(account.id, host):
        raise TooManyRequests("Too many sessions of this account, please try again later")


def count_out(world: World, account: Account | None) -> None:
    """The session that `count_in` counted is over, if there was one."""
    if account is not None:
        world.limits.sign_out(account.id)


async def check_account(world: World, known: Account) -> Account:
    """The session's account as it is now: its name and limits may be others than at login.

    Raises what ends the session if the account is gone or switched off, or has other credentials or rights.

    It ends also if that cannot be told now: a chunk may follow the command, so it cannot just be refused.
    """
    try:
        account = await world.directory.account(known.address)
    except Refusal as refusal:
        raise Refusal(refusal.reply_text, code=421, enhanced="4.3.0") from refusal
    if account is None or not known.is_still(account):
        raise Refusal("Your account was changed, please sign in again", code=421, enhanced="4.7.0")
    return account
