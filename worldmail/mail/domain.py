"""Domain names and address literals, as they stand right of the "@".

A domain is kept as it was written. What is compared is its normal form: lower
case, every label an A-label (RFC 5890 §2.3.2.1), literals in their shortest form.
"""

from __future__ import annotations

import ipaddress
import re

import idna

MAXIMUM_OCTETS = 255  # RFC 5321 §4.5.3.1.2

# Domain = sub-domain *("." sub-domain);  sub-domain = Let-dig [Ldh-str]     RFC 5321 §4.1.2
# A label has at most 63 octets (RFC 1035 §2.3.4). Underscores are against the rule, but mail comes from such names, and
# the DNS resolves them (RFC 2181 §11); only our own names must do without (`host_name`).
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def normal_domain(text: str) -> str:
    """The form to compare and to look up: ASCII, lower case; "[192.0.2.1]", "[ipv6:2001:db8::1]" for literals.

    Raises: ValueError if `text` is neither a domain name (of A-labels or U-labels; RFC 5321 §4.1.2, RFC 6531 §3.3;
        underscores are let pass, a final dot is not) nor an address literal (§4.1.3).
    """
    if text.startswith("["):
        address = literal_address(text)
        return f"[ipv6:{address}]" if address.version == 6 else f"[{address}]"
    if len(text) > MAXIMUM_OCTETS:
        raise ValueError(f"a domain has at most {MAXIMUM_OCTETS} octets")
    if not text.isascii():
        text = _a_labels(text)
        if len(text) > MAXIMUM_OCTETS:
            raise ValueError(f"a domain has at most {MAXIMUM_OCTETS} octets")
    if _DOMAIN.fullmatch(text) is None:
        raise ValueError("not a domain name")
    return text.lower()


def in_letters(domain: str) -> str:
    """A domain in its normal form as people write it: every A-label that is one as a U-label (RFC 5890 §2.3.2.1)."""
    return ".".join([_u_label(label) for label in domain.split(".")])


def host_name(text: str) -> str:
    """`normal_domain` for a name of our own, which others must be able to take for one (RFC 5321 §2.3.5).

    Raises: ValueError for an underscore too.
    """
    if "_" in text:
        raise ValueError("a domain name has no underscore")
    return normal_domain(text)


def literal_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IP address of a literal such as "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3).

    Raises: ValueError for anything else, other tags than IPv6 (none is registered) and scoped addresses too.
    """
    if not (text.startswith("[") and text.endswith("]") and text.isascii()):
        raise ValueError("not an address literal")
    inside = text[1:-1]
    try:
        if inside[:5].lower() == "ipv6:":
            if "%" in inside:
                raise ValueError("scoped")
            return ipaddress.IPv6Address(inside[5:])
        return ipaddress.IPv4Address(inside)
    except ValueError:
        raise ValueError("not an address literal") from None


def _a_labels(text: str) -> str:
    """Each label as an A-label, after the UTS 46 mapping (which folds case and dots)."""
    try:
        mapped = idna.uts46_remap(text, std3_rules=True, transitional=False)
        return ".".join(idna.alabel(label).decode("ascii") for label in mapped.split("."))
    except (idna.IDNAError, UnicodeError):
        raise ValueError("not a domain name") from None


def _u_label(label: str) -> str:
    try:
        return idna.ulabel(label) if label.startswith("xn--") else label
    except (idna.IDNAError, UnicodeError):
        return label
