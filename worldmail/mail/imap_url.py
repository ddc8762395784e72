"""IMAP URLs of messages and their parts (RFC 5092), also those that carry an authorisation (RFC 4467).

    imapurl       = "imap://" [[user] [";AUTH=" type] "@"] host [":" port] "/" part [auth]      ; RFC 5092 §11
    part          = mailbox [";UIDVALIDITY=" nz-number] "/;UID=" nz-number
                    ["/;SECTION=" section] ["/;PARTIAL=" number ["." nz-number]]
    auth          = [";EXPIRE=" date-time] ";URLAUTH=" access [":" mechanism ":" 32*HEXDIG]
    access        = "submit+" user / "user+" user / "authuser" / "anonymous"

A URL names a mailbox in UTF-8, whatever the session's names are in (§8). Those of servers, of mailboxes and of searches
are no URLs of messages: they are not taken here. What is read and what is written agree: reading what was written
gives the same value. Users are written with "@" as %40; clients that leave it as it is are understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from attrs import field, frozen

LONGEST = 8192
"""Characters of a URL that is looked at."""

INTERNAL = "internal"
"""The one mechanism that every server has (RFC 4467 §2.4)."""

WITH_USER = frozenset(("submit+", "user+"))
ACCESS = WITH_USER | {"authuser", "anonymous"}
"""Whom an authorisation is for (RFC 4467 §3)."""

LARGEST = 0xFFFFFFFF
_LARGEST_OFFSET = 0x7FFFFFFFFFFFFFFF

# achar, bchar: uchar with more, where uchar = unreserved / sub-delims-sh / pct-encoded
_ACHAR = r"[A-Za-z0-9._~!$'()*+,&=-]|%[0-9A-Fa-f]{2}"
_BCHARS = rf"(?:{_ACHAR}|[:@/])+"
_SERVER = re.compile(
    rf"(?:(?P<user>(?:{_ACHAR}|@)*)(?P<auth>;AUTH=(?:{_ACHAR})+)?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$'()*+,&=%-]+)(?::(?P<port>[0-9]{0,5}))?",
    re.IGNORECASE | re.ASCII,
)
_PART = re.compile(
    rf"/(?P<mailbox>{_BCHARS})(?:;UIDVALIDITY=(?P<uidvalidity>[0-9]{{1,10}}))?/;UID=(?P<uid>[0-9]{{1,10}})"
    rf"(?:/;SECTION=(?P<section>{_BCHARS}?))?(?:/;PARTIAL=(?P<origin>[0-9]{{1,19}})(?:\.(?P<count>[0-9]{{1,19}}))?)?"
    r"(?:(?:;EXPIRE=(?P<expires>[0-9T:.Z+-]{1,40}))?"
    rf";URLAUTH=(?P<access>[A-Za-z]+\+?)(?P<for>(?:{_ACHAR}|@)*)"
    r"(?::(?P<mechanism>[A-Za-z0-9.-]{1,64}):(?P<token>[0-9A-Fa-f]{32,256}))?)?",
    re.IGNORECASE | re.ASCII,
)
# date-time of RFC 3339 §5.6
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)
_SCHEME = "imap://"
_SAFE = "!$'()*+,&="
_SAFE_PATH = _SAFE + ":@/"


@frozen(kw_only=True)
class Authorisation:
    """What stands behind the part.

    Args:
        access: one of `ACCESS`.
        user: whom it is for, where `access` is one of `WITH_USER`; else "".
        expires: epoch seconds from which on it is void; None for never.
        mechanism, token: the proof, in lower case; None of a URL that is yet to be authorised.
    """

    access: str
    user: str = ""
    expires: float | None = None
    mechanism: str | None = None
    token: str | None = None


@frozen(kw_only=True)
class ImapUrl:
    """A URL of a message or a part of one.

    Args:
        user: "" if none is named.
        host: as it was written; an IPv6 address is in brackets.
        section: as in BODY[section]; "" for the whole message.
        partial: the first octet and how many of them, None for all from there on; None for all.
        rump: of a URL that was read, what the proof is of: all of it but the proof (RFC 4467 §6).
    """

    user: str = ""
    host: str
    port: int | None = None
    mailbox: str
    uidvalidity: int | None = None
    uid: int
    section: str = ""
    partial: tuple[int, int | None] | None = None
    authorisation: Authorisation | None = None
    rump: str = field(default="", eq=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> ImapUrl:
        """An absolute URL. Raises: ValueError."""
        if len(text) > LONGEST:
            raise ValueError("the URL is too long")
        if text[: len(_SCHEME)].lower() != _SCHEME:
            raise ValueError("an IMAP URL is expected")
        end = text.find("/", len(_SCHEME))
        server = _SERVER.fullmatch(text, len(_SCHEME), end)
        part = _PART.fullmatch(text, end) if end > 0 and server is not None else None
        if server is None or part is None:
            raise ValueError("the URL of a message is expected")
        found = part.groupdict()
        return cls(
            user=_decoded(server["user"] or ""),
            host=server["host"],
            port=int(server["port"]) if server["port"] else None,
            mailbox=_decoded(found["mailbox"]),
            uidvalidity=_number(found["uidvalidity"]),
            uid=_number(found["uid"]) or 0,
            section=_decoded(found["section"] or ""),
            partial=_partial(found["origin"], found["count"]),
            authorisation=_authorisation(found),
            rump=text if found["mechanism"] is None else text[: part.start("mechanism") - 1],
        )

    def __str__(self) -> str:
        """As it is written."""
        user = f"{quote(self.user, safe=_SAFE)}@" if self.user else ""
        pieces = [_SCHEME, user, self.host, "" if self.port is None else f":{self.port}", "/"]
        pieces.append(quote(self.mailbox, safe=_SAFE_PATH))
        if self.uidvalidity is not None:
            pieces.append(f";UIDVALIDITY={self.uidvalidity}")
        pieces.append(f"/;UID={self.uid}")
        if self.section:
            pieces.append(f"/;SECTION={quote(self.section, safe=_SAFE_PATH)}")
        if self.partial is not None:
            origin, count = self.partial
            pieces.append(f"/;PARTIAL={origin}" + ("" if count is None else f".{count}"))
        if self.authorisation is not None:
            pieces += _written(self.authorisation)
        return "".join(pieces)


def absolute(reference: str, *, user: str, host: str, mailbox: str | None) -> str:
    """A URL out of a reference, as RFC 3986 §5.2 has it, where the base is the session's (RFC 4469 §3).

    Args:
        user, host: who is signed in, and where.
        mailbox: the selected one; None if there is none. What begins with ";UID=" is a message in it.

    Raises: ValueError for one that is too long.
    """
    if len(reference) > LONGEST:
        raise ValueError("the URL is too long")
    if reference[: len(_SCHEME)].lower() == _SCHEME:
        return reference
    if reference.startswith("//"):
        return f"imap:{reference}"
    path = "" if mailbox is None else quote(mailbox, safe=_SAFE_PATH)
    if reference[:5].upper() == ";UID=" and path:
        reference = f"/{path}/{reference}"
    elif not reference.startswith("/"):
        reference = f"/{path[: path.rfind('/') + 1]}{reference}"
    return f"{_SCHEME}{quote(user, safe=_SAFE)}@{host}{_without_dots(reference)}"


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


def _written(authorisation: Authorisation) -> Iterable[str]:
    if authorisation.expires is not None:
        moment = datetime.fromtimestamp(authorisation.expires, UTC).replace(tzinfo=None)
        yield f";EXPIRE={moment.isoformat()}Z"
    yield f";URLAUTH={authorisation.access}{quote(authorisation.user, safe=_SAFE)}"
    if authorisation.mechanism is not None:
        yield f":{authorisation.mechanism}:{authorisation.token}"


def _authorisation(found: dict[str, str]) -> Authorisation | None:
    if found["access"] is None:
        return None
    access = found["access"].lower()
    user = _decoded(found["for"])
    if access not in ACCESS or bool(user) != (access in WITH_USER):
        raise ValueError("there is no such access identifier")
    return Authorisation(
        access=access,
        user=user,
        expires=None if found["expires"] is None else _moment(found["expires"]),
        mechanism=None if found["mechanism"] is None else found["mechanism"].lower(),
        token=None if found["token"] is None else found["token"].lower(),
    )


def _moment(text: str) -> float:
    if _MOMENT.fullmatch(text) is None:
        raise ValueError("a date and time is expected, such as 2030-02-01T10:20:30Z")
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except OverflowError:
        raise ValueError("no such moment") from None


def _number(digits: str | None) -> int | None:
    if digits is None:
        return None
    value = int(digits)
    if not 0 < value <= LARGEST:
        raise ValueError("a number above 0 is expected")
    return value


def _partial(origin: str | None, count: str | None) -> tuple[int, int | None] | None:
    if origin is None:
        return None
    first, octets = int(origin), None if count is None else int(count)
    if first > _LARGEST_OFFSET or octets == 0 or (octets or 0) > _LARGEST_OFFSET:
        raise ValueError("there is no such part of a message")
    return first, octets


def _decoded(text: str) -> str:
    """Raises: ValueError if it is not UTF-8."""
    return unquote_to_bytes(text).decode("utf-8")
