"""Whom rights are given to (RFC 4314 §2, §3): "anyone" or an account by its address; "-" in front takes rights away."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from attrs import frozen

from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import ANYONE
from worldmail.mail.address import Address
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, No

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


class NoSuchIdentifier(No):
    """Nobody is called so."""

    text = "There is no such account"

    def __init__(self) -> None:
        super().__init__(response=b"CANNOT")


@frozen
class Identifier:
    """One identifier, and the account that it names; None for everybody."""

    text: str
    account: Account | None


def read_identifier(reader: Reader) -> str:
    """An identifier as it is written, prepared (RFC 4314 §3 asks for what SASLprep does). Raises `BadCommand`."""
    text = unicodedata.normalize("NFKC", reader.text())
    if not text.removeprefix("-") or any(unicodedata.category(character)[0] == "C" for character in text):
        raise BadCommand("This cannot be an identifier")
    return text


async def find(session: Session, text: str) -> Identifier:
    """The identifier as the store keeps it, the account's own address in it. Raises `NoSuchIdentifier`."""
    minus = "-" if text.startswith("-") else ""
    name = text.removeprefix("-")
    if name.lower() == ANYONE:
        return Identifier(minus + ANYONE, None)
    try:
        address = Address.parse(name).qualified(session.user.address.domain)
    except ValueError:
        raise NoSuchIdentifier from None
    account = await session.world.directory.account(address)
    if account is None:
        raise NoSuchIdentifier
    return Identifier(f"{minus}{account.address}", account)
