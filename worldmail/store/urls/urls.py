"""Authorised URLs (RFC 4467): what was signed with a mailbox access key is verified with it.

Theory of operation. The proof is an HMAC of the URL without it (its rump), under the key which the URL's user has for
the mailbox; that key is made when it is first needed, and whoever forgets it (RESETKEY) makes void all that was signed
with it. What is verified is what was sent, octet for octet, so no two readings of one URL can differ. Whatever fails
before the proof is verified fails as a wrong proof does, after the same work: an answer tells nobody what is there.

A URL conveys no more than its user may do: without the right r at the moment of use it leads nowhere.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from attrs import define
from zope.interface import implementer

from worldmail.errors import BadName, NoSuchMailbox, NotAUrl, UrlNotAuthorised, UrlNotResolved, UrlOfAnother
from worldmail.interfaces.directory import Account, IDirectory
from worldmail.interfaces.folders import Folder, IFolders
from worldmail.interfaces.urls import AS_IT_IS, Bearer, IUrls, UrlForm, UrlOctets
from worldmail.mail.address import Address
from worldmail.mail.imap_url import INTERNAL, WITH_USER, Authorisation, ImapUrl
from worldmail.mail.mime.section_text import parse_section
from worldmail.store.urls.octets import Finder

_NO_KEY = bytes(32)  # what is reckoned with where there is no key; nothing is proven by it
_NOBODY = Account(
    id=0,
    address=Address("nobody", "invalid"),
    name="",
    enabled=False,
    generation=0,
    quota=None,
    max_message=None,
    legacy_auth=False,
)


@implementer(IUrls)
@define(kw_only=True, eq=False)
class Urls:
    """Provides `IUrls`.

    Args:
        hostname: what this server is called; URLs may name the account's domain as well.
        names_us: this server goes by this host name too.
        now: epoch seconds.
    """

    _folders: IFolders
    _directory: IDirectory
    _finder: Finder
    _hostname: str
    _names_us: Callable[[str], bool]
    _now: Callable[[], float]

    async def sign(self, account: Account, url: ImapUrl) -> str:
        authorisation = url.authorisation
        if authorisation is None or authorisation.mechanism is not None:
            raise NotAUrl("The URL needs an access identifier and must not have a proof")
        if not url.user or not await self._is(account, url.user):
            raise NotAUrl("The URL must name the user who is signed in")
        if not self._leads_here(account, url):
            raise NotAUrl("The URL must name this server")
        _check_section(url)
        if await self._readable(account, url) is None:
            raise NotAUrl
        key = await self._folders.url_key(account, url.mailbox, make=True)
        assert key is not None, "it is made"
        return f"{url.rump}:{INTERNAL}:{_proof(key, url.rump).hex()}"

    async def open(self, url: ImapUrl, bearer: Bearer, form: UrlForm = AS_IT_IS) -> UrlOctets:
        if url.authorisation is None:
            account = await self._own(url, bearer)
        else:
            account = await self._authorised(url, url.authorisation, bearer)
        folder = await self._readable(account, url)
        if folder is None:
            raise UrlNotResolved if url.authorisation is None else UrlNotAuthorised
        try:
            section = parse_section(url.section)
        except ValueError:
            raise UrlNotResolved from None
        found: UrlOctets = await self._finder.find(folder.id, url.uid, section, url.partial, form)
        return found

    async def _own(self, url: ImapUrl, bearer: Bearer) -> Account:
        """The bearer, if the URL is its own and leads here."""
        if not self._leads_here(bearer.account, url):
            raise UrlOfAnother
        if url.user and not await self._is(bearer.account, url.user):
            raise UrlOfAnother
        return bearer.account

    def _leads_here(self, account: Account, url: ImapUrl) -> bool:
        """The URL's host is one of our names, or the account's domain, under which clients look for its server."""
        host = url.host.lower()
        return host in (self._hostname.lower(), account.address.domain_key) or self._names_us(host)

    async def _authorised(self, url: ImapUrl, authorisation: Authorisation, bearer: Bearer) -> Account:
        """The URL's user, if the proof is right and is meant for the bearer (RFC 4467 §6)."""
        owner = await self._account(url.user)
        key = await self._key(owner, url.mailbox)
        proof = _proof(_NO_KEY if key is None else key, url.rump)
        proven = hmac.compare_digest(proof.hex(), authorisation.token or "")
        if key is None or not proven or authorisation.mechanism != INTERNAL or not owner.enabled:
            raise UrlNotAuthorised
        if authorisation.expires is not None and self._now() >= authorisation.expires:
            raise UrlNotAuthorised
        if authorisation.access in WITH_USER and not await self._is(bearer.account, authorisation.user):
            raise UrlNotAuthorised
        if authorisation.access == "submit+" and not bearer.submission:
            raise UrlNotAuthorised
        return owner

    async def _key(self, owner: Account, mailbox: str) -> bytes | None:
        try:
            key: bytes | None = await self._folders.url_key(owner, mailbox, make=False)
        except (NoSuchMailbox, BadName):
            return None
        return key

    async def _readable(self, account: Account, url: ImapUrl) -> Folder | None:
        """The mailbox, if it is the one that is meant and the account may read there."""
        try:
            folder: Folder | None = await self._folders.folder(account, url.mailbox)
        except BadName:
            return None
        if folder is None or not folder.exists or "r" not in folder.rights:
            return None
        return folder if url.uidvalidity in (None, folder.uidvalidity) else None

    async def _account(self, user: str) -> Account:
        try:
            account: Account | None = await self._directory.account(Address.parse(user))
        except ValueError:
            account = None
        return account or _NOBODY

    async def _is(self, account: Account, user: str) -> bool:
        """Whether a login of this name would be this account's."""
        try:
            own: Address = await self._directory.own_form(Address.parse(user))
        except ValueError:
            return False
        return own.key == account.address.key


def _check_section(url: ImapUrl) -> None:
    try:
        parse_section(url.section)
    except ValueError:
        raise NotAUrl from None


def _proof(key: bytes, rump: str) -> bytes:
    return hmac.digest(key, rump.encode("utf-8"), "sha256")
