"""Names of mailboxes: what can be one, and whose mailbox a name leads to.

In the store a mailbox has its path below its owner. An account sees its own by that path, others' below
`OTHERS` and the owner's address, public ones below `PUBLIC`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from attrs import frozen

from worldmail.errors import BadName
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import OTHERS, PUBLIC
from worldmail.mail.address import Address

INBOX = "INBOX"
LENGTH, LEVEL_LENGTH, LEVELS = 1000, 255, 32
"""Characters of a whole name and of one level; levels."""

PUBLIC_OWNER = "\x01public@"
"""With a domain behind it, the address of the account that has the domain's public mailboxes: no mail can have it."""

# RFC 9051 §5.1, RFC 6855 §3, RFC 5198 §2: no controls, no line or paragraph separators, no halves of characters;
# no noncharacters either, so that U+10FFFF sorts behind every name.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U0010fffe\U0010ffff]")
_WILD = re.compile(r"[%*]")
# What would part levels, be a wildcard of LIST, or begin such an escape.
_ESCAPED = {"=": "=3D", "/": "=2F", "%": "=25", "*": "=2A"}
_TO_ESCAPE = re.compile(r"[=/%*]")
_ESCAPE = re.compile(r"=(3D|2F|25|2A)")
_OTHERS_LEVEL, _PUBLIC_LEVEL = OTHERS.rstrip("/"), PUBLIC.rstrip("/")


@lru_cache(maxsize=1024)  # names too long are not kept
def normal(name: str) -> str:
    """The name as it is kept. Raises `BadName` for what none can be."""
    if name == INBOX:
        return name
    if len(name) > LENGTH:
        raise BadName("The name is too long")
    if _UNFIT.search(name) is not None:
        raise BadName("The name holds a character that none can have")
    name = unicodedata.normalize("NFC", name)
    levels = name.split("/")
    if not all(levels):
        raise BadName("The name has an empty level")
    if len(levels) > LEVELS or len(name) > LENGTH or any(len(level) > LEVEL_LENGTH for level in levels):
        raise BadName("The name is too long or has too many levels")
    return fold_inbox(name)


def fold_inbox(name: str) -> str:
    """INBOX in capitals, whatever its case, also where it is the level above others (RFC 9051 §5.1)."""
    first = name[:5]
    # Not `upper`: there is a letter beyond ASCII whose capital is I.
    if first != INBOX and first.lower() == "inbox" and name[5:6] in ("", "/"):
        return INBOX + name[5:]
    return name


def new_name(name: str) -> str:
    """As `normal`, for a name that a mailbox is to get; "/" behind it is left out (RFC 9051 §6.3.4)."""
    name = normal(name.removesuffix("/"))
    if _WILD.search(name) is not None:
        raise BadName("A name with a wildcard could not be listed")  # RFC 9051 §5.1, point 2
    if name.startswith("#"):
        raise BadName("Names that begin with # belong to namespaces")  # RFC 9051 §5.1.2.1
    return name


def above(path: str) -> list[str]:
    """The levels above a path, the highest first."""
    return [path[:at] for at, character in enumerate(path) if character == "/"]


def is_own(name: str) -> bool:
    """True unless the name lies in one of the other namespaces; for normalised names."""
    return not (name.startswith((OTHERS, PUBLIC)) or name in (_OTHERS_LEVEL, _PUBLIC_LEVEL))


@frozen
class Place:
    """Where a name leads: the owner's address in the table `account` (None for the account itself), and the path.

    An empty path is a level of a namespace, where no mailbox can be.
    """

    owner: str | None
    path: str

    @property
    def public(self) -> bool:
        """Whether it belongs to a domain and not to a person."""
        return self.owner is not None and self.owner.startswith(PUBLIC_OWNER)

    @property
    def is_inbox(self) -> bool:
        """Whether it is the INBOX of a person."""
        return self.path == INBOX and not self.public


def locate(name: str, account: Account) -> Place:
    """Where a normalised name leads for this account."""
    if is_own(name):
        return Place(None, name)
    if name.startswith(PUBLIC):
        return Place(public_owner(account), name[len(PUBLIC) :])
    if not name.startswith(OTHERS):
        return Place("", "")
    level, _, path = name[len(OTHERS) :].partition("/")
    key = _key_of(level)
    return Place(None if key == account.address.key else key, fold_inbox(path))


def public_owner(account: Account) -> str:
    """The address of the account that has the public mailboxes which this account sees: those of its domain."""
    return PUBLIC_OWNER + account.address.domain_key


def shown(owner: str, path: str) -> str:
    """The name under which everybody but its owner sees a mailbox."""
    if owner.startswith(PUBLIC_OWNER):
        return PUBLIC + path
    return f"{OTHERS}{_TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], owner)}/{path}"


def canonical(name: str, account: Account) -> str:
    """The one name under which this account sees what a normalised name leads to, whether it is there or not."""
    place = locate(name, account)
    if place.owner is None:
        return place.path
    return shown(place.owner, place.path) if place.owner and place.path else name


def _key_of(level: str) -> str:
    """The key of the address that a level stands for; "" for none."""
    local, at, domain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), level).rpartition("@")
    try:
        return Address(local, domain).key if at else ""
    except ValueError:
        return ""
