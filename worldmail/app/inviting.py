"""Making this server the relay of others: invitations, and who has joined. For commands; no server need run.

An invitation is made in steps, each of which finds what the one before it made: domains, the site's account, its hold,
and last the invitation itself. What is cut off is made whole by the same command again.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Sequence
from contextlib import suppress

from attrs import evolve, frozen

from worldmail.app.ground import StoreParts, host_name
from worldmail.app.held import held_domains
from worldmail.app.pairing import submission_place, turning_place
from worldmail.app.site import new_password
from worldmail.config.keys import thing_name
from worldmail.config.settings import Settings
from worldmail.config.values import host_or_address
from worldmail.directory.domains import domain_name
from worldmail.errors import AlreadyThere, BadValue, ConfigurationError, NoSuchThing
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.pairs import End, Pair
from worldmail.mail.address import Address
from worldmail.ondemand.join_code import MAXIMUM_PINS, SECRET_OCTETS, JoinCode, secret_name
from worldmail.ondemand.pair_entries import INVITES, PAIRS, Invitation, invite_entry, read_invitations, read_pair
from worldmail.transport.certificates import pin_of, read_certificate


@frozen(kw_only=True)
class Asked:
    """What an administrator asks for; "" for what follows from the rest.

    Args:
        domains: whose mail is held.
        account: what the site signs in as; hold: the name of the hold; host: what the site calls us.
        seconds: how long the invitation is open.
    """

    domains: tuple[str, ...]
    account: str = ""
    hold: str = ""
    host: str = ""
    seconds: int = 7 * 86400


@frozen(kw_only=True)
class Invited:
    """What was made. `notes`: what was added on the way, in sentences."""

    code: str
    invitation: Invitation
    notes: tuple[str, ...]
    submission: int


class Inviting:
    """See the module.

    Args:
        store: what keeps all of it.
    """

    def __init__(self, store: StoreParts) -> None:
        self._store = store
        self._settings: Settings = store.foundations.settings
        self._notes: list[str] = []

    async def invite(self, asked: Asked) -> Invited:
        """Raises: `ConfigurationError` if sites could not reach us, `BadValue`, `AlreadyThere`."""
        port, starttls, pins, host = *self._way(), pins_of(self._settings), self._host(asked)
        domains = tuple(dict.fromkeys(domain_name(name) for name in asked.domains))
        hold = await self._hold(asked, domains)
        new = await self._not_there(domains)
        account = await self._account(asked, domains, hold)
        await self._check_account(account, hold)
        for domain in new:
            await self._store.admin.add_domain(domain, "relay")
            self._notes.append(f"added the relay domain {domain}")
        await self._add_account(account, hold)
        name = await self._held(asked, domains, account, hold)
        secret = secrets.token_bytes(SECRET_OCTETS)
        now = int(self._store.foundations.clock.now())
        invitation = Invitation(
            name=secret_name(secret),
            hold=name,
            account=account.key,
            domains=domains if hold is None else hold.domains,
            made=now,
            expires=now + asked.seconds,
        )
        await self._tell_what_was(invitation, now)
        await self._store.database.write(lambda cursor: _open(cursor, invitation, now))
        code = JoinCode(host=host, port=port, starttls=starttls, pins=pins, secret=secret, account=account.key)
        return Invited(
            code=code.text,
            invitation=invitation,
            notes=tuple(self._notes),
            submission=submission_place(self._settings)[0],
        )

    def sites(self) -> Awaitable[list[Pair]]:
        """The sites that have joined, by name, with the domains that we hold mail for now."""

        def unit(cursor: Cursor) -> list[Pair]:
            sites = [pair for pair in map(read_pair, PAIRS.all(cursor)) if pair.end is End.RELAY]
            return [evolve(pair, domains=held_domains(cursor, pair.name)) for pair in sites]

        return self._store.database.scan(unit)

    def invitations(self) -> Awaitable[list[Invitation]]:
        """All that were not used, the oldest first."""
        return self._store.database.scan(lambda cursor: read_invitations(INVITES.all(cursor)))

    async def revoke(self, hold: str) -> None:
        """Take an invitation back. Raises `NoSuchThing`."""
        normal = thing_name("a hold", hold)

        def unit(cursor: Cursor) -> None:
            if not _close(cursor, normal):
                raise NoSuchThing(f"there is no open invitation for {normal}")

        await self._store.database.write(unit)

    async def remove(self, hold: str) -> Pair:
        """The site is none of ours any more: it cannot sign in. What waits for it stays, and so does what its account
        has. Raises `NoSuchThing`."""
        normal = thing_name("a hold", hold)

        def unit(cursor: Cursor) -> Pair:
            pair = read_pair(PAIRS.required(cursor, normal))
            if pair.end is not End.RELAY:
                raise NoSuchThing(f"{normal} is no site of ours, it is our relay: worldmail join --leave {normal}")
            PAIRS.remove(cursor, normal)
            _close(cursor, normal)
            return pair

        pair = await self._store.database.write(unit)
        for held in await self._store.hold_admin.holds():
            if held.name == normal:
                others = ",".join(sorted(held.accounts - {pair.account}))
                await self._store.hold_admin.set_hold(normal, {"accounts": others})
        account = Address.parse(pair.account)
        with suppress(NoSuchThing):  # somebody removed it before
            await self._store.admin.set_password(account, new_password())
            await self._store.admin.set_account(account, {"enabled": "off"})
        return pair

    async def _tell_what_was(self, invitation: Invitation, now: int) -> None:
        """Before it is made: of what it takes the place."""
        there = [one for one in await self.invitations() if one.hold == invitation.hold and one.expires > now]
        if there:
            self._notes.append(f"the code that was made before for {invitation.hold} is good for nothing any more")
        if any(one.name == invitation.hold for one in await self.sites()):
            self._notes.append(
                f"the site {invitation.hold} has joined already: who uses this code takes its place and its password"
            )

    def _way(self) -> tuple[int, bool]:
        port, starttls = turning_place(self._settings)
        if not port:
            raise ConfigurationError(
                "no listener lets sites fetch what is held for them: in the configuration give the listener"
                ' submissions of [smtp] the line atrn = true, or add one with role = "odmr" and listen = ["*:366"],'
                " and restart the server"
            )
        return port, starttls

    def _host(self, asked: Asked) -> str:
        try:
            host = host_or_address(asked.host or host_name(self._settings))
        except ValueError:
            host = ""
        if asked.host and not host:
            raise BadValue(
                f"--host {asked.host}: no name that a site could look up, and no address that it could reach"
            )
        if not host or (not asked.host and "." not in host):
            raise BadValue("this server has no name that a site could look up: --host NAME, or hostname in [server]")
        return host

    async def _hold(self, asked: Asked, domains: Sequence[str]) -> Hold | None:
        """The hold in which their mail waits already; None if there is none."""
        holds = await self._store.hold_admin.holds()
        found = {hold.name: hold for hold in holds if set(hold.domains) & set(domains)}
        wanted = thing_name("a hold", asked.hold) if asked.hold else ""
        if not found and any(hold.name == wanted for hold in holds):
            raise AlreadyThere(f"the hold {wanted} is there already, for other domains: --hold NAME names another")
        for name, hold in found.items():
            there = [domain for domain in domains if domain in hold.domains]
            missing = [domain for domain in domains if domain not in hold.domains]
            waits = f"mail for {', '.join(there)} waits in the hold {name} already"
            if len(found) > 1:
                raise AlreadyThere(f"{waits}: what waits in several holds is invited hold by hold")
            if wanted not in ("", name):
                raise AlreadyThere(f"{waits}: leave --hold away")
            if missing:
                add = f"worldmail domain add {missing[0]} --kind hold --hold {name}"
                raise AlreadyThere(f"{waits}; what is to wait there too is added to it: {add}")
        return next(iter(found.values()), None)

    async def _account(self, asked: Asked, domains: Sequence[str], hold: Hold | None) -> Address:
        if asked.account:
            try:
                return Address.parse(asked.account)
            except ValueError as error:
                raise BadValue(f"{asked.account} is not an address: {error}") from None
        if hold is not None and hold.accounts:
            return Address.parse(min(hold.accounts))
        ours = [one.name for one in await self._store.admin.domains() if one.kind == "local" and not one.alias_of]
        if not ours:
            name = domain_name(host_name(self._settings))
            await self._store.admin.add_domain(name)
            self._notes.append(f"added the domain {name}, in which sites have their accounts")
            ours = [name]
        return Address(domains[0], ours[0])

    async def _check_account(self, account: Address, hold: Hold | None) -> None:
        """Who joins sets its password: what signs in with it now, and is another site, would be locked out."""
        used = [(one.account, one.name) for one in await self.sites()]
        used += [(one.account, one.hold) for one in await self.invitations()]
        for key, name in used:
            if key == account.key and (hold is None or name != hold.name):
                raise AlreadyThere(f"{account} is what the site {name} signs in as: --account ADDRESS names another")
        if not any(one.name == account.domain_key and one.kind == "local" for one in await self._store.admin.domains()):
            raise NoSuchThing(f"{account}: there is no local domain {account.domain} here, in which it could sign in")

    async def _not_there(self, domains: Sequence[str]) -> list[str]:
        """Those of these relay domains that are to be added."""
        there = {one.name: one.kind for one in await self._store.admin.domains()}
        for name in domains:
            if there.get(name, "relay") != "relay":
                raise AlreadyThere(f"{name} is a domain of this server itself: its mail is delivered here")
        return [name for name in domains if name not in there]

    async def _add_account(self, address: Address, hold: Hold | None) -> None:
        there = await self._store.admin.accounts(address.domain)
        found = next((one for one in there if one.address.key == address.key), None)
        if found is None:
            await self._store.admin.add_account(address, new_password(), "")
            self._notes.append(f"added the account {address}, as which the site signs in")
        elif not found.enabled:  # where a site was removed; of one that is on this would end what its site is at
            await self._store.admin.set_account(address, {"enabled": "on"})
        if found is not None and (hold is None or address.key not in hold.accounts):
            self._notes.append(f"the account {address} is there: who joins gives it another password")

    async def _held(self, asked: Asked, domains: Sequence[str], account: Address, hold: Hold | None) -> str:
        """The hold's name; the account may fetch what is in it."""
        holds = self._store.hold_admin
        if hold is not None:
            if account.key not in hold.accounts:
                await holds.set_hold(hold.name, {"accounts": ",".join(sorted(hold.accounts | {account.key}))})
            return hold.name
        names = {one.name for one in await holds.holds()}
        name = asked.hold or domains[0].partition(".")[0]
        if not asked.hold and name in names:
            name = domains[0]
        made = await holds.add_hold(name, {"domains": ",".join(domains), "accounts": account.key})
        self._notes.append(f"added the hold {made.name}, in which its mail waits")
        return made.name


def pins_of(settings: Settings) -> frozenset[str]:
    """Those of the certificates that we show. Raises `ConfigurationError`."""
    given = settings.tls.certificates
    if not given:
        raise ConfigurationError(
            "this server has no certificate, so no site could tell it from another: give it one in [tls] certificates"
        )
    read = [read_certificate(each.certificate, each.key, each.names) for each in given[:MAXIMUM_PINS]]
    return frozenset(pin_of(each.leaf) for each in read)


def _open(cursor: Cursor, invitation: Invitation, now: int) -> None:
    """One a hold: the code that was told before is void. Those that are over go."""
    _close(cursor, invitation.hold)
    for other in read_invitations(INVITES.all(cursor)):
        if other.expires <= now:
            INVITES.remove(cursor, other.name)
    INVITES.add(cursor, invite_entry(invitation))


def _close(cursor: Cursor, hold: str) -> int:
    there = [each for each in read_invitations(INVITES.all(cursor)) if each.hold == hold]
    for each in there:
        INVITES.remove(cursor, each.name)
    return len(there)
