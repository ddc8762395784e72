"""Authentication-Results: whose word a field is (RFC 8601).

authres-header-field = "Authentication-Results:" authres-payload                              RFC 8601 §2.2
authres-payload      = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS] CRLF
authserv-id          = value                                  ; a token or a quoted string, RFC 2045 §5.1

A field that comes from outside with the name of a server of ours is forged, or of no use any more: nobody behind us
could tell it from one that we made (§5).
"""

from __future__ import annotations

import re
from collections.abc import Collection

from worldmail.mail.domain import normal_domain
from worldmail.mail.header import Header
from worldmail.mail.mime.comments import without_comments

FIELD = b"authentication-results"

_NAME = re.compile(rb'"((?:[^"\\]|\\.)*+)"|([^\s;"]+)')
_QUOTED_PAIR = re.compile(rb"\\(.)")


def without_results(raw: bytes, names: Collection[str]) -> bytes:
    """A header without the fields that claim to be of these servers (names as of `normal_name`)."""
    return Header(raw).without_if(FIELD, lambda value: server_of(value) in names)


def server_of(value: bytes) -> str:
    """The authserv-id, as of `normal_name`; "" if there is none that can be read."""
    match = _NAME.match(without_comments(value).strip())
    if match is None:
        return ""
    name = match[2] if match[1] is None else _QUOTED_PAIR.sub(rb"\1", match[1])
    return normal_name(name.decode("utf-8", "replace"))


def normal_name(name: str) -> str:
    """How such names are compared: without regard to case, to dots at the end, and to the form of labels."""
    bare = name.strip().rstrip(".")
    try:
        return normal_domain(bare)
    except ValueError:  # any token may be one
        return bare.casefold()
