"""A header in ASCII for clients that did not ask for UTF-8 (RFC 6856 §2.1, RFC 6855 §7), made as RFC 6857 says.

Fields that are ASCII stay as they are, octet by octet. Of the others, unstructured text becomes encoded
words (§3.1.1), display names and comments likewise (§3.1.5, §3.1.3), domains get A-labels (§3.1.6), an address that
cannot be written in ASCII becomes an empty group that tells it (§3.1.7, §3.1.8), parameters get RFC 2231's form
(§3.1.4), and ids that allow none of this are kept as text in a field with "Downgraded-" before its name (§3.1.10).

Octets that are not UTF-8 go into encoded words of the charset unknown-8bit (RFC 1428). Every step is linear.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import quote

from worldmail.mail.domain import normal_domain

_ADDRESS_FIELDS = frozenset(  # RFC 6857 §3.2.1, and one that is like them
    b"from sender reply-to to cc bcc resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc"
    b" return-path delivered-to disposition-notification-to".split()
)
_COMMENT_FIELDS = frozenset(  # §3.2.2
    b"date resent-date mime-version content-id content-transfer-encoding content-language accept-language"
    b" auto-submitted".split()
)
_ID_FIELDS = frozenset(b"message-id resent-message-id in-reply-to references".split())  # §3.2.3
_PARAMETER_FIELDS = frozenset((b"content-type", b"content-disposition"))  # §3.2.5
_TYPED_FIELDS = frozenset((b"original-recipient", b"final-recipient"))  # §4.2

_FIELD = re.compile(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_WORD = re.compile(r"[ \t]+|[^ \t]+")
# What is not closed ends with the text: no alternative is ever tried again from the same place.
_ADDRESS_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"?)|(?P<comment>\((?:[^()\\]|\\.)*\)?)|(?P<angle><[^<>]*>?)|(?P<end>[,:;])"""
    r"""|(?P<space>[ \t]+)|(?P<atom>[^ \t"(<,:;]+)""",
    re.DOTALL,
)
_OUTSIDE = re.compile(r"""(?:"(?:[^"\\]|\\.)*+"?|\\.|[^"\\(])++|\\""", re.DOTALL)
_INSIDE = re.compile(r"\\.|[()]|[^\\()]++|\\", re.DOTALL)
_PARAMETER = re.compile(r"""(;[ \t]*)([A-Za-z0-9_-]+)=("(?:[^"\\]|\\.)*"?|[^ \t;"]*)""", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_ENCODED_WORD = re.compile(r"=\?[!-~]+\?=")
_TYPED = re.compile(r"[ \t]*utf-8[ \t]*;[ \t]*(\S+)[ \t]*", re.IGNORECASE)
# utf-8-addr-xtext writes these as they are (RFC 6533 §3: QUCHAR).
_NOT_XTEXT = re.compile(r"[^!-*,-<>-\[\]-~]")
TOO_MUCH = bytes(range(128)) + b"?" * 128
"""Makes "?" of each octet above 127."""

_WORD_OCTETS = 45  # 60 characters of base64: an encoded word has at most 75 (RFC 2047 §2)
_LINE = 76
_PARAMETER_PIECE = 20  # octets, of three characters each


MOST_OCTETS = 128 << 10
"""Octets of all fields of a header that are written anew."""


def surrogate_header(header: bytes, most: int = MOST_OCTETS) -> bytes:
    """The same header block (its empty line included, if it has one) without octets above 127.

    Args:
        most: octets of fields that are written anew; in those that follow, each octet above 127 becomes "?".
    """
    left = most
    made = []
    for field in _fields(header):
        if field.isascii():
            made.append(field)
            continue
        left -= len(field)
        made.append(_surrogate_field(field) if left >= 0 else field.translate(TOO_MUCH))
    return b"".join(made)


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
        return field.translate(TOO_MUCH)
    text = value.replace(b"\r\n", b"").decode("utf-8", "surrogateescape").strip(" \t")
    kind = name.strip().lower()
    words: list[str] | None
    if kind in _ADDRESS_FIELDS:
        words = _addresses(text)
    elif kind in _PARAMETER_FIELDS:
        words = _parameters(_comments(text))
    elif kind == b"received":
        words = _trace(text)
    elif kind == b"keywords":
        words = _phrases(text)
    elif kind in _ID_FIELDS or kind in _TYPED_FIELDS:
        text = _comments(text)
        words = text.split(" ") if text.isascii() else _typed(text) if kind in _TYPED_FIELDS else None
        if words is None:
            name, words = b"Downgraded-" + name, _unstructured(text)
    else:
        words = _unstructured(_comments(text) if kind in _COMMENT_FIELDS else text)
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


def _phrases(text: str) -> list[str]:
    """A list of phrases (RFC 6857 §3.2.7)."""
    words: list[str] = []
    for phrase in text.split(","):
        words[-1:] = [words[-1] + ","] if words else []
        words += _unstructured(phrase.strip(" \t")) or [""]
    return words


# --- comments ---


def _comments(text: str) -> str:
    """The same with encoded words in the place of comments that are not ASCII (RFC 6857 §3.1.3)."""
    return "".join(" ".join(_comment(piece)) if is_comment else piece for is_comment, piece in _commented(text))


def _commented(text: str) -> Iterator[tuple[bool, str]]:
    """Comments, however they nest, and what stands between them."""
    at = 0
    while at < len(text):
        if text[at] == "(":
            depth, end = 0, at
            while end < len(text) and (depth or end == at):
                match = _INSIDE.match(text, end)
                assert match is not None
                depth += (match[0] == "(") - (match[0] == ")")
                end = match.end()
            yield True, text[at:end] + ")" * depth
        else:
            match = _OUTSIDE.match(text, at)
            assert match is not None
            end = match.end()
            yield False, text[at:end]
        at = end


def _comment(token: str) -> list[str]:
    if token.isascii():
        return [token if token.endswith(")") else token + ")"]
    words = encoded_words(_QUOTED_PAIR.sub(r"\1", token.removeprefix("(").removesuffix(")")))
    words[0] = "(" + words[0]
    words[-1] += ")"
    return words


# --- addresses ---


def _addresses(text: str) -> list[str]:
    """An address list, mailbox by mailbox. A group of which one cannot be written is told whole (RFC 6857 §3.1.7)."""
    words: list[str] = []
    tokens: list[tuple[str, str]] = []
    group = start = -1  # how many words there were, and where in the text it was, when a group began
    lost = False
    for match in _ADDRESS_TOKEN.finditer(text):
        kind, end = str(match.lastgroup), match[0]
        if kind != "end":
            tokens.append((kind, end))
            continue
        made, removed = (_group_name(tokens), False) if end == ":" else _mailbox(tokens)
        words += made
        tokens, lost = [], lost or removed
        if end == ";" and group >= 0 and lost:
            _tell_group(words, group, text[start : match.start()])
        else:
            words[-1:] = [words[-1] + end] if words else [end]
        if end != ",":
            group, start, lost = (len(words), match.end(), False) if end == ":" else (-1, -1, False)
    made, removed = _mailbox(tokens)
    words += made
    if group >= 0 and (lost or removed):
        _tell_group(words, group, text[start:])
    return words


def _tell_group(words: list[str], group: int, members: str) -> None:
    """Put the group that began behind so many words there with its members as text."""
    del words[group:]
    words[-1] = words[-1].removesuffix(":")
    words += [*_encoded_behind(words, members.strip()), ":;"]


def _encoded_behind(words: list[str], text: str) -> list[str]:
    """The text encoded, apart from what a reader would join with it."""
    return encoded_words(" " + text if words and _ENCODED_WORD.fullmatch(words[-1]) else text)


def _mailbox(tokens: list[tuple[str, str]]) -> tuple[list[str], bool]:
    """One mailbox: perhaps a display name, the address, comments. True if it cannot be written."""
    comments = [word for kind, token in tokens if kind == "comment" for word in _comment(token)]
    tokens = [token for token in tokens if token[0] != "comment"]
    angles = [token for kind, token in tokens if kind == "angle"]
    if angles:
        before = tokens[: next(at for at, (kind, _) in enumerate(tokens) if kind == "angle")]
        address, name = angles[0].strip("<>").strip(), _phrase(before)
    else:
        address, name = "".join(token for _, token in tokens).strip(), []
    if not address and not angles:
        return comments, False
    ascii_address = _ascii_address(address)
    if ascii_address is None:
        # RFC 6857 §3.1.8: the address is shown, but cannot be answered.
        return [*name, *_encoded_behind(name, address), ":;", *comments], True
    return [*name, f"<{ascii_address}>" if angles else ascii_address, *comments], False


def _group_name(tokens: list[tuple[str, str]]) -> list[str]:
    return _phrase([token for token in tokens if token[0] != "comment"])


def _phrase(tokens: list[tuple[str, str]]) -> list[str]:
    """A display name: as it is, or all of it in encoded words."""
    if all(token.isascii() for _, token in tokens):
        name = "".join(" " if kind == "space" else token for kind, token in tokens).strip(" ")
        return name.split(" ") if name else []
    plain = (_unquoted(token) if kind == "quoted" else " " if kind == "space" else token for kind, token in tokens)
    return encoded_words("".join(plain).strip())


def _ascii_address(address: str) -> str | None:
    """The address with its domain as A-labels; None if its local part needs UTF-8."""
    if address.isascii():
        return address
    local, at, domain = address.rpartition("@")
    if not at or not local.isascii():
        return None
    ascii_domain = _ascii_domain(domain)
    return None if ascii_domain is None else f"{local}@{ascii_domain}"


def _ascii_domain(domain: str) -> str | None:
    try:
        return normal_domain(domain)
    except ValueError:
        return None


def _typed(text: str) -> list[str] | None:
    """A typed address in the form of utf-8-addr-xtext (RFC 6857 §3.1.9, RFC 6533 §3); None if it is of another type."""
    match = _TYPED.fullmatch(text)
    if match is None or any("\udc80" <= character <= "\udcff" for character in match[1]):
        return None
    return ["utf-8;", _NOT_XTEXT.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", match[1])]


def _trace(text: str) -> list[str]:
    """A Received field: clauses FOR and ID that cannot be written are left out (RFC 6857 §3.2.4)."""
    words: list[str] = []
    clause = -1  # which of the words may be the name of one
    for is_comment, piece in _commented(text):
        if is_comment:
            words += _comment(piece)
            continue
        for word in piece.split():
            end = ";" if word.endswith(";") else ""
            bare = word.removesuffix(";")
            name = words[clause].lower() if clause >= 0 else ""
            written = bare if bare.isascii() else None if name == "id" else _ascii_place(bare)
            if written is None and name in ("for", "id"):
                del words[clause]
                words[-1:] = [words[-1] + end] if words else [end]
                clause = -1
                continue
            words += encoded_words(bare) if written is None else [written]
            words[-1] += end
            clause = len(words) - 1
    return words


def _ascii_place(word: str) -> str | None:
    """A domain, or an address in angle brackets or without, in ASCII."""
    if "@" not in word:
        return _ascii_domain(word)
    address = _ascii_address(word.removeprefix("<").removesuffix(">"))
    return None if address is None else f"<{address}>" if word.startswith("<") else address


# --- parameters ---


def _parameters(text: str) -> list[str]:
    """A MIME field: parameters that are not ASCII in RFC 2231's form, other such octets lost."""
    return _PARAMETER.sub(_ascii_parameter, text).encode("ascii", "replace").decode("ascii").split(" ")


def _ascii_parameter(match: re.Match[str]) -> str:
    """In pieces (RFC 2231 §3), where it is long."""
    before, name, value = match.groups()
    if value.isascii():
        return match[0]
    octets = _unquoted(value).encode("utf-8", "surrogateescape")
    charset = "" if any("\udc80" <= character <= "\udcff" for character in value) else "utf-8"
    pieces = [quote(octets[at : at + _PARAMETER_PIECE], safe="") for at in range(0, len(octets), _PARAMETER_PIECE)]
    if len(pieces) == 1:
        return f"{before}{name}*={charset}''{pieces[0]}"
    pieces[0] = f"{charset}''{pieces[0]}"
    return before + "; ".join(f"{name}*{number}*={piece}" for number, piece in enumerate(pieces))


def _unquoted(token: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", token.removeprefix('"').removesuffix('"')) if token.startswith('"') else token
