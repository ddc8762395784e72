"""LOGIN: a name and a password in the clear (RFC 9051 §6.2.3)."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from worldmail.protocols.imap.account_watch import sign_in
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import No
from worldmail.protocols.imap.rows import NOT_AUTHENTICATED, Command, Done
from worldmail.protocols.imap.session import Session


@frozen
class Credentials:
    """A name and a password."""

    name: str
    password: str = field(repr=False)


def parse(reader: Reader) -> Credentials:
    """login = "LOGIN" SP userid SP password (both astring).

    RFC 6855 §5 sends clients to AUTHENTICATE if name or password is not ASCII; those that do not go are understood.
    """
    reader.space()
    name = reader.text()
    reader.space()
    password = reader.text()
    reader.end()
    return Credentials(name, password)


def capability(session: Session) -> Iterable[str]:
    """LOGINDISABLED where a password would be read by others (RFC 9051 §6.2.3)."""
    if session.account is not None or session.context().secure:
        return ()
    return ("LOGINDISABLED",)


async def run(session: Session, credentials: Credentials) -> Done:
    """Check them."""
    context = session.context()
    if not context.secure:
        raise No("Passwords are taken in TLS only, please give STARTTLS first", b"PRIVACYREQUIRED")  # RFC 5530 §3
    account = await session.world.authentication.password(credentials.name, credentials.password, context)
    return await sign_in(session, account)


LOGIN = Command(
    word=b"LOGIN", states=NOT_AUTHENTICATED, parse=parse, run=run, capability=capability, rfc="RFC 9051 §6.2.3"
)
