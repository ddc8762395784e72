"""What a relay does for its sites: they join, and tell whom they have.

Theory of operation. An invitation is a row under a digest of its secret, so nobody who reads the database can join. It
is looked up before anything is computed for it (a wrong secret costs a read), and goes in the unit that sets the
account's password and makes the pair: of two who use one code at the same moment one joins, and a repetition finds
nothing. If that reply is lost the site knows the password that it sent, signs in, and asks again. What is granted are
the invited domains that we hold mail for at that moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from attrs import define, evolve, field
from zope.interface import implementer

from worldmail.errors import NoSuchThing, Refusal, TooManyRequests
from worldmail.interfaces.auth import ICredentialMaker, PasswordCredentials
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.pairs import CannotJoin, End, IRelayEnd, Joined, Known, Pair
from worldmail.interfaces.queue import IRecipientAdmin
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.address import Address
from worldmail.ondemand.join_code import secret_name
from worldmail.ondemand.pair_entries import INVITES, PAIRS, Invitation, pair_entry, read_invitation
from worldmail.ondemand.pairs import CurrentPairs
from worldmail.ondemand.tries import Tries

_NOTHING_HELD = "We hold mail for no domain of this invitation any more"


@implementer(IRelayEnd)
@define(kw_only=True)
class RelayEnd:
    """See `IRelayEnd`.

    Args:
        pairs: who has joined.
        credentials: makes of a password what is kept of it.
        set_password: does it, within a unit; raises `NoSuchThing`.
        held: the domains that the hold of this name has now, and mail is taken for.
        recipients: the lists of relay domains.
        host: what we call ourselves.
        submission: where a site's own mail is taken, and whether TLS begins with STARTTLS there; 0 if nowhere.
    """

    database: IDatabase
    clock: IClock
    journal: IJournal
    pairs: CurrentPairs
    credentials: ICredentialMaker
    set_password: Callable[[Cursor, Address, PasswordCredentials], None]
    held: Callable[[Cursor, str], Sequence[str]]
    recipients: IRecipientAdmin
    submission: tuple[int, bool]
    host: str = ""
    _tries: Tries = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tries = Tries(self.clock.seconds)

    @property
    def inviting(self) -> bool:
        """See `IRelayEnd.inviting`."""
        return self.pairs.inviting > self.clock.now()

    async def join(self, secret: bytes, password: str, client: str, session: str) -> Joined:
        """See `IRelayEnd.join`."""
        if not self._tries.left(client):
            raise TooManyRequests
        name = secret_name(secret)
        try:
            await self.database.read(lambda cursor: self._open(cursor, name))
            made = await self.credentials.from_password(password)
            pair = await self.database.write(lambda cursor: self._redeem(cursor, name, made))
        except (CannotJoin, NoSuchThing) as error:
            delay = self._tries.failed(client)
            reason = error.reason if isinstance(error, Refusal) else str(error)
            self.journal.record("pair.refused", session=session, client=client, reason=reason)
            await self.clock.sleep(delay)
            raise CannotJoin(error.reply_text if isinstance(error, CannotJoin) else None, reason=reason) from None
        self.journal.record("pair.joined", session=session, client=client, hold=pair.name, account=pair.account)
        return self.facts(pair)

    def facts(self, site: Pair) -> Joined:
        """See `IRelayEnd.facts`."""
        port, starttls = self.submission
        return Joined(
            account=site.account,
            hold=site.name,
            domains=site.domains,
            submission=port,
            starttls=starttls and bool(port),
            host=self.host,
        )

    def replace_recipients(self, site: Pair, lists: Iterable[Known]) -> Awaitable[int]:
        """See `IRelayEnd.replace_recipients`."""
        return self.recipients.replace(site.domains, lists)

    def _open(self, cursor: Cursor, name: str) -> Invitation:
        """The invitation, with those of its domains that are still held. Raises `CannotJoin`."""
        entry = INVITES.find(cursor, name)
        if entry is None:
            raise CannotJoin(reason="no such invitation, or it was used")
        invitation = read_invitation(entry)
        if invitation.expires <= self.clock.now():
            raise CannotJoin(reason=f"the invitation for {invitation.hold} is over")
        held = self.held(cursor, invitation.hold)
        domains = tuple(domain for domain in invitation.domains if domain in held)
        if not domains:
            reason = f"no domain of the invitation for {invitation.hold} is held here any more"
            raise CannotJoin(_NOTHING_HELD, reason=reason)
        return evolve(invitation, domains=domains)

    def _redeem(self, cursor: Cursor, name: str, made: PasswordCredentials) -> Pair:
        invitation = self._open(cursor, name)
        INVITES.remove(cursor, name)
        self.set_password(cursor, Address.parse(invitation.account), made)
        pair = Pair(
            name=invitation.hold,
            end=End.RELAY,
            account=invitation.account,
            domains=invitation.domains,
            joined=int(self.clock.now()),
        )
        put = PAIRS.add if PAIRS.find(cursor, pair.name) is None else PAIRS.replace
        put(cursor, pair_entry(pair))
        return pair
