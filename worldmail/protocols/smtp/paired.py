"""What the commands between a site and its relay say: XJOIN and XRECIPIENTS, extensions of our own (RFC 5321 §4.1.5).

    xjoin-command       = "XJOIN" [SP secret SP password]
    xrecipients-command = "XRECIPIENTS" SP octets            ; after 354 so many octets follow
    lists               = *( address *( SP ( "most=" octets / "room=" octets ) ) CRLF )

Secret and password are base64url without padding (RFC 4648 §5). The reply to XJOIN says on a line each, as "key=value",
what the site needs to know (`joined_lines`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator

from attrs import field, frozen

from worldmail.errors import BadValue, Refusal
from worldmail.interfaces.pairs import Joined, Known
from worldmail.mail.address import MAXIMUM_LOCAL_OCTETS, Address
from worldmail.mail.domain import host_name
from worldmail.mail.results import normal_name

MAXIMUM_LISTS = 4 * 1024 * 1024
"""Octets of the lists of one site; some 100,000 recipients."""

EVERYBODY = "*"

_DOMAINS_LINE = 400
"""Characters of domains on one line (RFC 5321 §4.5.3.1.5)."""

_JOIN = re.compile(rb"([A-Za-z0-9_-]{16,64}) +([A-Za-z0-9_-]{16,128})")
_SIZE = re.compile(rb"[0-9]{1,10}")
_BOUND = re.compile(r"(most|room)=([0-9]{1,15})")


@frozen
class JoinArguments:
    """XJOIN with an invitation."""

    secret: bytes = field(repr=False)
    password: str = field(repr=False)


def parse_join(argument: bytes) -> JoinArguments | None:
    """None without arguments. Raises Refusal 501."""
    if not argument.strip():
        return None
    match = _JOIN.fullmatch(argument.strip())
    try:
        if match is None:
            raise ValueError
        return JoinArguments(_octets(match[1]), match[2].decode("ascii"))
    except ValueError:
        raise Refusal("Syntax: XJOIN secret password", code=501, enhanced="5.5.4") from None


def parse_size(argument: bytes) -> int:
    """How many octets of lists there are. Raises Refusal 501, 552."""
    if _SIZE.fullmatch(argument.strip()) is None:
        raise Refusal("Syntax: XRECIPIENTS octets", code=501, enhanced="5.5.4")
    if int(argument) > MAXIMUM_LISTS:
        raise Refusal("The lists are too large", code=552, enhanced="5.3.4")
    return int(argument)


def joined_lines(joined: Joined) -> list[str]:
    """What a site is told, a line each. Domains are on as many lines as they need."""
    lines = [f"account={joined.account}", f"hold={joined.hold}"]
    names: list[str] = []
    for domain in joined.domains:
        if names and len(",".join((*names, domain))) > _DOMAINS_LINE:
            lines.append(f"domains={','.join(names)}")
            names = []
        names.append(domain)
    if names:
        lines.append(f"domains={','.join(names)}")
    if joined.submission:
        lines.append(f"submission={joined.submission}{' starttls' if joined.starttls else ''}")
    if joined.host:
        lines.append(f"host={joined.host}")
    return lines


def read_joined(lines: list[str]) -> Joined:
    """The same, read. Raises ValueError; what is not known yet is passed over."""
    said: dict[str, list[str]] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if equals:
            said.setdefault(key, []).append(value)
    port, _, starttls = said.get("submission", ["0"])[0].partition(" ")
    account, hold = said.get("account", [""])[0], said.get("hold", [""])[0]
    if not account or not hold or not 0 <= int(port) < 65536:
        raise ValueError("a line is missing")
    names = [name for line in said.get("domains", ()) for name in line.split(",")]
    return Joined(
        account=_account(account),
        hold=hold,
        domains=tuple(dict.fromkeys([_domain(name) for name in names])),
        submission=int(port),
        starttls=starttls == "starttls",
        host=normal_name(said.get("host", [""])[0][:255]),
    )


def _account(text: str) -> str:
    address = Address.parse(text)
    if not address.domain:
        raise ValueError("no address")
    return address.key


def _domain(text: str) -> str:
    """What becomes a domain of ours must be one, whoever says it."""
    name = host_name(text)
    if name.startswith("[") or "." not in name:
        raise ValueError("no domain")
    return name


def read_lists(octets: bytes) -> list[Known]:
    """The recipients of lists. Raises `BadValue` that names the first line that is none. Not for the reactor."""
    return list(_read_lines(octets))


def write_lists(lists: Iterable[Known]) -> bytes:
    """Lists as they are sent, in an order that depends on nothing else than what is in them."""
    lines = []
    for known in lists:
        text = f"{Address(known.local, known.domain)}"
        text += "" if known.most is None else f" most={known.most}"
        text += "" if known.room is None else f" room={known.room}"
        lines.append(text + "\r\n")
    return "".join(sorted(lines)).encode()


def _read_lines(octets: bytes) -> Iterator[Known]:
    if octets and not octets.endswith(b"\r\n"):
        raise BadValue("the last line has no end")
    for number, line in enumerate(octets.split(b"\r\n")[:-1], 1):
        try:
            yield _read_line(line.decode())
        except ValueError:
            raise BadValue(f"line {number} is no recipient") from None


def _read_line(line: str) -> Known:
    text, *words = _words(line)
    address = Address.parse(text)
    local = address.local_key
    if not address.domain or len(local.encode()) > MAXIMUM_LOCAL_OCTETS:
        raise ValueError
    bounds: dict[str, int] = {}
    for word in words:
        match = _BOUND.fullmatch(word)
        if match is None or match[1] in bounds:
            raise ValueError
        bounds[match[1]] = int(match[2])
    return Known(local, address.domain_key, bounds.get("most"), bounds.get("room"))


def _words(line: str) -> list[str]:
    """The address, which may hold spaces in quotes, and the words behind it."""
    end = line.find(" ", line.rfind("@") + 1)
    return [line] if end < 0 else [line[:end], *line[end + 1 :].split(" ")]


def _octets(text: bytes) -> bytes:
    try:
        octets = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None
    if base64.urlsafe_b64encode(octets).rstrip(b"=") != text:
        raise ValueError
    return octets
