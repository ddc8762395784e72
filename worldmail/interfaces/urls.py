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
class UrlForm:
    """In which form a part is asked for (RFC 5524).

    Args:
        decoded: without its transfer encoding.
        described: with its structure; only for what is a part, or a message.
    """

    decoded: bool = False
    described: bool = False


AS_IT_IS = UrlForm()


@frozen(kw_only=True)
class UrlOctets:
    """What a URL leads to: `size` octets, which `read` gives in chunks of bounded size, as FETCH BODY would.

    While they are read it may turn out that the message is gone: `UrlNotResolved`.

    Args:
        cost: how many octets had to be looked through to find them.
        structure: BODYSTRUCTURE of what is given, if it was asked for.
        decodable: False of a part with an unknown transfer encoding that was to be undone; there is nothing to read.
        binary: there is a NUL in them, as there may be in what is decoded.
    """

    size: int
    read: Callable[[], AsyncIterator[bytes]]
    cost: int = 0
    structure: bytes | None = None
    decodable: bool = True
    binary: bool = False


class IUrls(Interface):
    """Authorises URLs, and resolves them."""

    def sign(account: Account, url: ImapUrl) -> Awaitable[str]:
        """The URL, which has an authorisation but no proof, with its proof (RFC 4467 §7, GENURLAUTH).

        It must name this server, the account itself and a mailbox that it may read. Raises `NotAUrl`.
        """

    def open(url: ImapUrl, bearer: Bearer, form: UrlForm = AS_IT_IS) -> Awaitable[UrlOctets]:
        """What the URL leads to.

        If it carries an authorisation, that counts, and the rights that the URL's user has now. If not, it must name
        this server, and the bearer or nobody; what counts are the bearer's rights. Raises `UrlNotAuthorised` (alike
        for all that is not there and all that is not allowed), `UrlOfAnother`; `UrlNotResolved` for who is allowed to
        know.
        """
