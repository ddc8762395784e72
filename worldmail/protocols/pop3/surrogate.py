"""A header in ASCII for clients that are not in UTF-8 mode (RFC 6856 §2.1), after RFC 6857.

Fields that are ASCII stay as they are, octet by octet. Of the others, unstructured text becomes encoded
words (§3.1.1), display names and comments likewise (§3.1.2, §3.1.3), an address that cannot be written in ASCII
becomes an empty group that tells so (§3.1.8), parameters get RFC 2231's form (§3.1.5), and what allows none of
this is kept as text in a field with "Downgraded-" before its name (§3.1.10).

Octets that are not UTF-8 go into encoded words of the charset unknown-8bit (RFC 1428). Every step is linear.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import quote

from worldmail.mail.domain import normal_domain

_ADDRESS_FIELDS = frozenset(
    b"from sender reply-to to cc bcc resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc"
    b" return-path delivered-to disposition-notification-to".split()
)
_PARAMETER_FIELDS = frozenset((b"content-type", b"content-disposition"))
_STRUCTURED_FIELDS = frozenset(
    b"received date resent-date message-id resent-message-id in-reply-to references content-id mime-version"
    b" content-transfer-encoding content-language list-id list-post list-help list-unsubscribe list-owner"
    b" list-archive list-subscribe original-recipient authentication-results dkim-signature".split()
)

_FIELD = re.compile(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_WORD = re.compile(r"[ \t]+|[^ \t]+")
# What is not closed ends with the text: no alternative is ever tried again from the same place.
_ADDRESS_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"?)|(?P<comment>\((?:[^()\\]|\\.)*\)?)|(?P<angle><[^<>]*>?)|(?P<end>[,:;])"""
    r"""|(?P<space>[ \t]+)|(?P<atom>[^ \t"(<,:;]+)""",
    re.DOTALL,
)
_PARAMETER = re.compile(r"""(;[ \t]*)([A-Za-z0-9_-]+)=("(?:[^"\\]|\\.)*"?|[^ \t;"]*)""", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_ENCODED_WORD = re.compile(r"=\?[!-~]+\?=")

_WORD_OCTETS = 45  # 60 characters of base64: an encoded word has at most 75 (RFC 2047 §2)
_LINE = 76


def surrogate_header(header: bytes) -> bytes:
    """The same header block (its empty line included, if it has one) without octets above 127."""
    return b"".join(field if field.isascii() else _surrogate_field(field) for field in _fields(header))


def encoded_words(text: str) -> list[str]:
    """Text as RFC 2047 encoded words, which a reader joins without blanks."""
    octets = text.encode("utf-8", "surrogateescape")
    try:
        octets.decode("utf-8")
        charset = "utf-8"
    except UnicodeDecodeError:
        charset = "unknown-8bit"
    return [f"=?{charset}?B?{binascii.b2a_base64(piece, newline=False).decode()}?=" for piece in _pieces(octets)]


def _pieces(octets: bytes) -> Iterator[bytes]:
    """Pieces that fit into an encoded word, none cut within a character (RFC 2047 §5)."""
    start = 0
    while start < len(octets):
        end = min(start + _WORD_OCTETS - 5, len(octets))
        for _ in range(3):
            if end < len(octets) and octets[end] & 0xC0 == 0x80:
                end += 1
        yield octets[start:end]
        start = end


def _fields(header: bytes) -> Iterator[bytes]:
    end = 0
    for match in _FIELD.finditer(header):
        end = match.end()
        yield match[0]
    if end < len(header):
        yield header[end:]


def _surrogate_field(field: bytes) -> bytes:
    name, colon, value = field.partition(b":")
    if not colon or not name.isascii():
        return field.decode("ascii", "replace").replace("\ufffd", "?").encode()
    text = value.replace(b"\r\n", b"").decode("utf-8", "surrogateescape").strip(" \t")
    kind = name.strip().lower()
    if kind in _ADDRESS_FIELDS:
        words = _addresses(text)
    elif kind in _PARAMETER_FIELDS:
        words = _parameters(text)
    elif kind in _STRUCTURED_FIELDS:
        name, words = b"Downgraded-" + name, encoded_words(text)
    else:
        words = _unstructured(text)
    return _folded(name.decode("ascii"), words).encode("ascii", "replace")


def _folded(name: str, words: list[str]) -> str:
    """A field of these words, folded between them (RFC 5322 §2.2.3)."""
    lines, line = [], name + ":"
    for word in words:
        if len(line) + 1 + len(word) > _LINE and line != name + ":":
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return "\r\n".join([*lines, line]) + "\r\n"


def _unstructured(text: str) -> list[str]:
    """Words as they are, and encoded words for each run of words that are not ASCII."""
    words: list[str] = []
    run = ""
    blank = ""
    for word in _WORD.findall(text):
        if word[0] in " \t":
            blank = word
        elif word.isascii():
            if run and _ENCODED_WORD.fullmatch(word):
                run += " "  # a reader drops the blank between two encoded words
            words += encoded_words(run)
            run = ""
            words.append(word)
        else:
            follows_encoded = not run and words and _ENCODED_WORD.fullmatch(words[-1])
            run += blank + word if run else (" " if follows_encoded else "") + word
    return words + encoded_words(run)


def _addresses(text: str) -> list[str]:
    """An address list, mailbox by mailbox."""
    words: list[str] = []
    tokens: list[tuple[str, str]] = []
    for match in _ADDRESS_TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "end":
            tokens.append((kind, match[0]))
            continue
        words += _group_name(tokens) if match[0] == ":" else _mailbox(tokens)
        words[-1:] = [words[-1] + match[0]] if words else [match[0]]
        tokens = []
    return words + _mailbox(tokens)


def _mailbox(tokens: list[tuple[str, str]]) -> list[str]:
    """One mailbox: perhaps a display name, the address, comments."""
    comments = [word for kind, token in tokens if kind == "comment" for word in _comment(token)]
    tokens = [token for token in tokens if token[0] != "comment"]
    angles = [token for kind, token in tokens if kind == "angle"]
    if angles:
        before = tokens[: next(at for at, (kind, _) in enumerate(tokens) if kind == "angle")]
        address, name = angles[0].strip("<>").strip(), _phrase(before)
    else:
        address, name = "".join(token for _, token in tokens).strip(), []
    if not address and not angles:
        return comments
    ascii_address = _ascii_address(address)
    if ascii_address is None:
        # RFC 6857 §3.1.8: the address is shown, but cannot be answered.
        return [*name, "Internationalized", "Address", *encoded_words(address), "Removed:;", *comments]
    return [*name, f"<{ascii_address}>" if angles else ascii_address, *comments]


def _group_name(tokens: list[tuple[str, str]]) -> list[str]:
    return _phrase([token for token in tokens if token[0] != "comment"])


def _phrase(tokens: list[tuple[str, str]]) -> list[str]:
    """A display name: as it is, or all of it in encoded words."""
    if all(token.isascii() for _, token in tokens):
        return "".join(" " if kind == "space" else token for kind, token in tokens).split(" ")
    plain = (_unquoted(token) if kind == "quoted" else " " if kind == "space" else token for kind, token in tokens)
    return encoded_words("".join(plain).strip())


def _comment(token: str) -> list[str]:
    if token.isascii():
        return [token if token.endswith(")") else token + ")"]
    words = encoded_words(_QUOTED_PAIR.sub(r"\1", token.removeprefix("(").removesuffix(")")))
    words[0] = "(" + words[0]
    words[-1] += ")"
    return words


def _ascii_address(address: str) -> str | None:
    """The address with its domain as A-labels; None if its local part needs UTF-8."""
    if address.isascii():
        return address
    local, at, domain = address.rpartition("@")
    if not at or not local.isascii():
        return None
    try:
        return f"{local}@{normal_domain(domain)}"
    except ValueError:
        return None


def _parameters(text: str) -> list[str]:
    """A MIME field: parameters that are not ASCII in RFC 2231's form, other such octets lost."""

    def ascii_parameter(match: re.Match[str]) -> str:
        value = match[3]
        if value.isascii():
            return match[0]
        octets = _unquoted(value).encode("utf-8", "surrogateescape")
        charset = "" if any("\udc80" <= character <= "\udcff" for character in value) else "utf-8"
        return f"{match[1]}{match[2]}*={charset}''{quote(octets, safe='')}"

    return _PARAMETER.sub(ascii_parameter, text).encode("ascii", "replace").decode("ascii").split(" ")


def _unquoted(token: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", token.removeprefix('"').removesuffix('"')) if token.startswith('"') else token
