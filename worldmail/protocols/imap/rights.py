"""Rights as they go over the wire (RFC 4314 §2.1): with the letters of RFC 2086 that older clients know."""

from __future__ import annotations

from functools import lru_cache

from worldmail.interfaces.folders import OBSOLETE_RIGHTS, OWNER_RIGHTS
from worldmail.protocols.imap.replies import BadCommand

ANY_MYRIGHTS = frozenset("lrikxa")
"""Who has none of these may not know of the mailbox (RFC 4314 §4, MYRIGHTS)."""

NEW_RIGHTS = "kxte"
"""What RFC 2086 did not have, for the capability RIGHTS= (RFC 4314 §2.2)."""


@lru_cache(maxsize=256)
def on_wire(rights: str) -> bytes:
    """The letters; with each old one any of whose members is there (RFC 4314 §2.1.1). `""` for none."""
    old = [letter for letter, members in OBSOLETE_RIGHTS.items() if any(member in rights for member in members)]
    return (rights + "".join(old)).encode("ascii") or b'""'


def read_change(argument: bytes) -> tuple[str, str]:
    """What SETACL is to do: "=", "+" or "-", and rights with the old letters expanded (RFC 4314 §3.1).

    Raises: `BadCommand` for a letter that is no right.
    """
    how = argument[:1].decode("ascii", "replace") if argument[:1] in (b"+", b"-") else "="
    letters = argument[1:] if how != "=" else argument
    rights = set("".join(OBSOLETE_RIGHTS.get(letter, letter) for letter in letters.decode("latin-1")))
    if not rights <= set(OWNER_RIGHTS):
        raise BadCommand("There is no such right")
    return how, "".join(right for right in OWNER_RIGHTS if right in rights)


def grantable(*, owner: bool) -> bytes:
    """What LISTRIGHTS tells: the rights that the identifier always has, then each that it can be given (§3.7).

    The owner has all. No right is tied to another.
    """
    letters = (*OWNER_RIGHTS, *OBSOLETE_RIGHTS)
    return "".join(letters).encode("ascii") if owner else b'"" ' + " ".join(letters).encode("ascii")
