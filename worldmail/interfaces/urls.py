"""IMAP URLs and what they lead to: for every room that is shown one (RFC 4467, RFC 4468, RFC 4469)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.directory import Account
from worldmail.mail.imap_url import ImapUrl


@frozen(kw_only=True)
class Bearer:
    """Who shows a URL.

    Args:
        submission: it is to become part of a message that this account hands in: what "submit+" is for.
    """

    account: Account
    submission: bool = False


@frozen(kw_only=True)
class UrlOctets:
    """What a URL leads to: `size` octets, which `read` gives in chunks of bounded size, as FETCH BODY would.

    There is no NUL in them. `cost` is how many octets had to be looked through to find them. While they are read it may turn out that the message is gone: `UrlNotResolved`.
    """

    size: int
    read: Callable[[], AsyncIterator[bytes]]
    cost: int = 0


class IUrls(Interface):
    """Authorises URLs, and resolves them."""

    def sign(account: Account, url: ImapUrl) -> Awaitable[str]:
        """The URL, which has an authorisation but no proof, with its proof (RFC 4467 §7, GENURLAUTH).

        It must name the account itself and a mailbox that it may read. Raises `NotAUrl`.
        """

    def open(url: ImapUrl, bearer: Bearer) -> Awaitable[UrlOctets]:
        """What the URL leads to.

        If it carries an authorisation, that counts, and the rights that the URL's user has now. If not, it must name
        this server, and the bearer or nobody; what counts are the bearer's rights. Raises `UrlNotAuthorised` (alike
        for all that is not there and all that is not allowed), `UrlOfAnother`; `UrlNotResolved` for who is allowed to
        know.
        """
