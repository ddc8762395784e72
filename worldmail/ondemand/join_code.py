"""The code by which a site joins its relay: all that it needs to find the relay, to know it and to be known.

    code     = base64url without padding of: version flags port secret pins host account checksum
    version  = %x01
    flags    = OCTET               ; 1: TLS begins with STARTTLS at that port
    port     = 2OCTET              ; where held mail is fetched
    secret   = 16OCTET
    pins     = count *( 32OCTET )  ; SHA-256 of the relay's public keys
    host     = length *OCTET       ; UTF-8
    account  = length *OCTET       ; UTF-8
    checksum = 4OCTET              ; the first of SHA-256 of all before it

It begins with a letter whatever is in it, so no shell takes it for an option, and it may be broken into lines.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from attrs import field, frozen

from worldmail.config.values import host_or_address
from worldmail.errors import BadValue
from worldmail.mail.address import Address

SECRET_OCTETS = 16
MAXIMUM_PINS = 8

_VERSION = 1
_STARTTLS = 1
_PIN_OCTETS = 32
_CHECK_OCTETS = 4
_BLANK = re.compile(r"\s+")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{40,2000}")


@frozen(kw_only=True)
class JoinCode:
    """What a code says.

    Args:
        host: the relay's name, or an IP address in text.
        port: where held mail is fetched; starttls: TLS begins there with STARTTLS.
        pins: in hex (see `interfaces.outbound.Hop.pins`).
        secret: 16 octets.
        account: the address that the site signs in as.
    """

    host: str
    port: int
    starttls: bool
    pins: frozenset[str]
    secret: bytes = field(repr=False)
    account: str

    @property
    def text(self) -> str:
        """As it is told."""
        pins = sorted(self.pins)[:MAXIMUM_PINS]
        body = bytes((_VERSION, _STARTTLS if self.starttls else 0)) + self.port.to_bytes(2, "big") + self.secret
        body += bytes((len(pins),)) + b"".join(map(bytes.fromhex, pins))
        for part in (self.host, self.account):
            octets = part.encode()
            body += bytes((len(octets),)) + octets
        return base64.urlsafe_b64encode(body + _checksum(body)).rstrip(b"=").decode("ascii")


def read_code(text: str) -> JoinCode:
    """The code of a text, white space in it left out. Raises `BadValue` that says what is wrong with it."""
    bare = _BLANK.sub("", text)
    if _SHAPE.fullmatch(bare) is None:
        raise BadValue("that is no join code: it is one long word of letters, digits, hyphens and underscores")
    octets = unpadded(bare)
    if octets is None or len(octets) <= _CHECK_OCTETS or _checksum(octets[:-_CHECK_OCTETS]) != octets[-_CHECK_OCTETS:]:
        raise BadValue("the join code has a slip in it, or is not whole: copy it again")
    if octets[0] != _VERSION:
        raise BadValue("the join code was made by another release of WorldMail than this one")
    try:
        return _read(_Octets(octets[1:-_CHECK_OCTETS]))
    except (ValueError, IndexError):
        raise BadValue("the join code cannot be read: it was made by another program") from None


def unpadded(text: str) -> bytes | None:
    """The octets of base64url without padding (RFC 4648 §5); None if it is none, or not the one way to write them."""
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if base64.urlsafe_b64encode(octets).rstrip(b"=") == text.encode() else None


def secret_name(secret: bytes) -> str:
    """What an invitation is kept under, which does not give its secret away."""
    return hashlib.sha256(b"invite" + secret).hexdigest()


class _Octets:
    """What is left to read. Raises ValueError behind its end."""

    def __init__(self, octets: bytes) -> None:
        self._left = octets

    def take(self, count: int) -> bytes:
        """The next so many."""
        taken, self._left = self._left[:count], self._left[count:]
        if len(taken) != count:
            raise ValueError
        return taken

    def counted(self) -> bytes:
        """As many as the next one says."""
        return self.take(self.take(1)[0])

    def end(self) -> None:
        """There are no more."""
        if self._left:
            raise ValueError


def _read(octets: _Octets) -> JoinCode:
    flags, port, secret = octets.take(1)[0], int.from_bytes(octets.take(2), "big"), octets.take(SECRET_OCTETS)
    pins = frozenset(octets.take(_PIN_OCTETS).hex() for _ in range(octets.take(1)[0]))
    host, account = octets.counted().decode(), octets.counted().decode()
    octets.end()
    if not port or not pins or not Address.parse(account).domain:
        raise ValueError
    return JoinCode(
        host=host_or_address(host),
        port=port,
        starttls=bool(flags & _STARTTLS),
        pins=pins,
        secret=secret,
        account=account,
    )


def _checksum(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()[:_CHECK_OCTETS]
