"""Address lists as ENVELOPE shows them (RFC 9051 §7.5.2; RFC 5322 §3.4, §4.4).

Nearly all addresses are `Name <a@b>`, `"Name" <a@b>` or `a@b` in ASCII, which one pattern reads. All others are cut
into tokens and read leniently: each address has what could be read of it, and what cannot be read of one does not
touch the next.
"""

from __future__ import annotations

import re
from functools import lru_cache

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


def render_addresses(value: bytes | None) -> bytes:
    """The addresses of an unfolded field without NUL, at most `MAXIMUM_ADDRESSES` of them; NIL if there are none."""
    if not value:
        return b"NIL"
    return _read_cached(value) if len(value) <= _CACHED_OCTETS else _read(value)


def _read(value: bytes) -> bytes:
    rendered: list[bytes] = []
    position, size = 0, len(value)
    match = _MAILBOX.match
    while position < size and len(rendered) < MAXIMUM_ADDRESSES:
        found = match(value, position)
        if found is None:
            return _read_loosely(value)
        quoted, plain, local, domain, bare = found.groups()
        if bare is not None:
            if not plain or b" " in plain:
                return _read_loosely(value)
            rendered.append(b'(NIL NIL "%b" "%b")' % (plain, bare))
        else:
            name = b" ".join((plain if quoted is None else quoted).split())
            if name:
                rendered.append(b'("%b" NIL "%b" "%b")' % (name, local, domain))
            elif quoted:
                return _read_loosely(value)
            else:
                rendered.append(b'(NIL NIL "%b" "%b")' % (local, domain))
        position = found.end()
    return b"(%b)" % b"".join(rendered)


_read_cached = lru_cache(maxsize=2048)(_read)


def _read_loosely(value: bytes) -> bytes:
    found = read_loosely(value)
    return b"(%b)" % b"".join(map(_render, found)) if found else b"NIL"


def _render(address: Address) -> bytes:
    name = b"NIL" if address.name is None else text(address.name)
    return b"(%b %b %b %b)" % (name, nstring(address.route), nstring(address.mailbox), nstring(address.host))
