"""Mail addresses: what stands between "<" and ">" in MAIL and RCPT.

    Mailbox        = Local-part "@" ( Domain / address-literal )          RFC 5321 §4.1.2
    Local-part     = Dot-string / Quoted-string
    Dot-string     = Atom *("." Atom)
    Quoted-string  = DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE
    atext         =/ UTF8-non-ascii                                        RFC 6531 §3.3
    qtextSMTP     =/ UTF8-non-ascii

An `Address` holds the local part without quotes and backslashes, so that
"john"@x.test and john@x.test are one address; `str` puts quotes where they are
needed. Nothing that could end a line or deceive its reader can be part of one.
"""

from __future__ import annotations

import re
import unicodedata

from attrs import field, frozen

from worldmail.mail.domain import normal_domain

MAXIMUM_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
_MAXIMUM_TEXT = 1024

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]"
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
# qtextSMTP and quoted-pairSMTP both cover %d32-126 only: no control characters.
_QUOTED_STRING = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)"')
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_TO_QUOTE = re.compile(r'(["\\])')
_PLAIN = re.compile(r"[\x20-\x7e]+")
# Line ends beyond ASCII, other controls, surrogates, and what turns the direction of the text.
_UNFIT_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_UNFIT_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


@frozen(order=True)
class Address:
    """A mailbox by its local part (unquoted) and domain (as written); "" for the domain of an unqualified one.

    Two addresses are equal if they are written alike; those with the same `key` lead to the same place.

    Attributes:
        key: the text to look up, "local@domain", both parts normalised, never quoted; "local@" if unqualified. The
            local part is folded for case (NFC of the case folding), the domain is in A-labels. The last "@"
            separates the parts. Equal for all spellings that a person takes for the same.

    Raises: ValueError if either part breaks RFC 5321 §4.1.2, RFC 6531 §3.3 or a limit of §4.5.3.1.
    """

    local: str
    domain: str
    key: str = field(init=False, eq=False, repr=False)
    _text: str = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Every address is looked up and written, most of them several times: both texts are made once, here.
        local, domain = self.local, self.domain
        written = _written(local)
        _check_local(local, written)
        folded = local.lower() if local.isascii() else _fold(local)
        object.__setattr__(self, "key", f"{folded}@{normal_domain(domain) if domain else ''}")
        object.__setattr__(self, "_text", f"{written}@{domain}" if domain else written)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read "local@domain", '"quoted local"@domain', "local@[192.0.2.1]" or an unqualified "local".

        No angle brackets, source route, comment or white space around it.

        Raises: ValueError with a sentence that does not repeat the text.
        """
        if len(text) > _MAXIMUM_TEXT:
            raise ValueError("the address is too long")
        if text.startswith('"'):
            quoted = _QUOTED_STRING.match(text)
            if quoted is None:
                raise ValueError("the quoted local part is malformed")
            local, rest = _QUOTED_PAIR.sub(r"\1", quoted[1]), text[quoted.end() :]
            if rest and not rest.startswith("@"):
                raise ValueError("the quoted local part is not followed by @")
            at, domain = rest[:1], rest[1:]
        else:
            local, at, domain = text.partition("@")
            if _DOT_STRING.fullmatch(local) is None:
                raise ValueError("the local part is malformed")
        if at and not domain:
            raise ValueError("the domain is missing")
        return cls(local, domain)

    def __str__(self) -> str:
        """The address as it goes on the wire, quoted where it must be; `parse` reads it back."""
        return self._text

    @property
    def local_key(self) -> str:
        """The normalised local part."""
        return self.key.rpartition("@")[0]

    @property
    def domain_key(self) -> str:
        """The normalised domain: lower case, A-labels; "" if unqualified."""
        return self.key.rpartition("@")[2]

    @property
    def is_ascii(self) -> bool:
        """True if it can be sent to a server without SMTPUTF8 (RFC 6531 §3.2)."""
        return self.local.isascii() and self.domain.isascii()

    def in_a_labels(self) -> Address:
        """The same for those who know no other letters, if its local part has none: its domain in A-labels."""
        return self if self.is_ascii or not self.local.isascii() else Address(self.local, self.domain_key)

    def qualified(self, domain: str) -> Address:
        """Itself, or with `domain` if it has none (RFC 6409 §6.1)."""
        return self if self.domain else Address(self.local, domain)

    def split_subaddress(self, delimiters: str) -> tuple[Address, str | None]:
        """The address without its detail, and the detail: user+tag@x gives (user@x, "tag") (RFC 5233 §1).

        The first of any of the `delimiters` counts; (itself, None) where there is none or nothing stands before it.
        """
        positions = [at for at in map(self.local.find, delimiters) if at > 0]
        if not positions:
            return self, None
        cut = min(positions)
        try:
            return Address(self.local[:cut], self.domain), self.local[cut + 1 :]
        except ValueError:
            return self, None


def _check_local(local: str, written: str) -> None:
    # The length is that of the shortest way to write it.
    if not local:
        raise ValueError("the local part is empty")
    if _PLAIN.fullmatch(local) is None and any(_unfit(character) for character in local[:_MAXIMUM_TEXT]):
        raise ValueError("the local part holds a control character")
    if len(local) > MAXIMUM_LOCAL_OCTETS or len(written.encode()) > MAXIMUM_LOCAL_OCTETS:
        raise ValueError(f"the local part has more than {MAXIMUM_LOCAL_OCTETS} octets")


def _unfit(character: str) -> bool:
    return (
        unicodedata.category(character) in _UNFIT_CATEGORIES
        or unicodedata.bidirectional(character) in _UNFIT_DIRECTIONS
    )


def _written(local: str) -> str:
    if _DOT_STRING.fullmatch(local):
        return local
    return '"' + _TO_QUOTE.sub(r"\\\1", local) + '"'


def _fold(text: str) -> str:
    """Canonical caseless form (Unicode §3.13, D145), composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
