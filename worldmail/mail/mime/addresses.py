"""Address lists as ENVELOPE shows them (RFC 9051 §7.5.2; RFC 5322 §3.4, §4.4).

Nearly all addresses are `Name <a@b>`, `"Name" <a@b>` or `a@b` in ASCII, which one pattern reads. All others are cut
into tokens and read leniently: each address has what could be read of it, and what cannot be read of one does not
touch the next.
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

from worldmail.mail.mime.loose_addresses import MAXIMUM_ADDRESSES, Address, read_loosely
from worldmail.mail.mime.quoting import nstring, text

_CACHED_OCTETS = 200

_ATEXT = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_DOMAIN = rb"[%b]++(?:\.[%b]++)*+" % (_ATEXT, _ATEXT)
_MAILBOX = re.compile(
    rb"[ \t]*"
    rb'(?:"([^"\\\x00-\x1f\x7f-\xff]*+)"[ \t]*+|([%b. ]*+))'
    rb"(?:<([%b.]++)@(%b)>|@(%b))"
    rb"[ \t]*+(?:,|\Z)" % (_ATEXT, _ATEXT, _DOMAIN, _DOMAIN)
)


@frozen
class AddressList:
    """The addresses of a field.

    Attributes:
        rendered: as ENVELOPE has them; NIL if there are none.
        mailbox: local part of the first (the name, if it is a group); b"" if there is none. What SORT goes by.
        name: display name of the first, as written; None if it has none.
        host: domain of the first; None if it has none, or is a group.
    """

    rendered: bytes
    mailbox: bytes = b""
    name: bytes | None = None
    host: bytes | None = None


NO_ADDRESSES = AddressList(b"NIL")


def address_list(value: bytes | None) -> AddressList:
    """The addresses of an unfolded field without NUL; at most `MAXIMUM_ADDRESSES` of them."""
    if not value:
        return NO_ADDRESSES
    return _read_cached(value) if len(value) <= _CACHED_OCTETS else _read(value)


def _read(value: bytes) -> AddressList:
    rendered: list[bytes] = []
    first = None
    position, size = 0, len(value)
    match = _MAILBOX.match
    while position < size and len(rendered) < MAXIMUM_ADDRESSES:
        found = match(value, position)
        if found is None:
            return _read_loosely(value)
        quoted, plain, local, domain, bare = found.groups()
        if bare is not None:
            local, domain = plain, bare
            if not local or b" " in local:
                return _read_loosely(value)
            name = None
            rendered.append(b'(NIL NIL "%b" "%b")' % (local, domain))
        else:
            name = b" ".join((plain if quoted is None else quoted).split()) or None
            if quoted and name is None:
                return _read_loosely(value)
            rendered.append(
                b'(NIL NIL "%b" "%b")' % (local, domain)
                if name is None
                else b'("%b" NIL "%b" "%b")' % (name, local, domain)
            )
        if first is None:
            first = (local, name, domain)
        position = found.end()
    if first is None:
        return NO_ADDRESSES
    return AddressList(b"(%b)" % b"".join(rendered), *first)


_read_cached = lru_cache(maxsize=2048)(_read)


def _read_loosely(value: bytes) -> AddressList:
    found = read_loosely(value)
    if not found:
        return NO_ADDRESSES
    first = found[0]
    return AddressList(b"(%b)" % b"".join(map(_render, found)), first.mailbox or b"", first.name, first.host)


def _render(address: Address) -> bytes:
    name = b"NIL" if address.name is None else text(address.name)
    return b"(%b %b %b %b)" % (name, nstring(address.route), nstring(address.mailbox), nstring(address.host))
