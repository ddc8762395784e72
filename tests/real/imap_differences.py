"""Where our answers to FETCH differ from Dovecot's, and by which RFC."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from tests.real.imap_answers import Value
from tests.real.mail_corpus import Sample


@frozen
class Seen:
    """Two values that are not the same."""

    sample: Sample
    item: str
    theirs: Value
    ours: Value

    def __str__(self) -> str:
        return f"{self.sample.name}: {self.item}\n  theirs {self.theirs!r:.300}\n  ours   {self.ours!r:.300}"


@frozen
class Difference:
    """A way in which they differ.

    Attributes:
        reason: what ours follows.
        applies: true if what was seen is this.
    """

    name: str
    reason: str
    applies: Callable[[Seen], bool]


def address_list(value: Value) -> bool:
    """True for a list of addresses as ENVELOPE has it."""
    return isinstance(value, list) and all(
        isinstance(member, list)
        and len(member) == 4
        and all(part is None or isinstance(part, bytes) for part in member)
        for member in value
    )


def _absent(seen: Seen) -> bool:
    return seen.item.startswith("BODY.PEEK[") and seen.ours is None and seen.theirs == b""


def _part_of_a_leaf(seen: Seen) -> bool:
    return seen.item.startswith("BODY.PEEK[") and seen.ours is None and isinstance(seen.theirs, bytes)


def _line_end_of_the_boundary(seen: Seen) -> bool:
    if isinstance(seen.theirs, int) and isinstance(seen.ours, int):
        return "BODY" in seen.item and b"\r\n--" in seen.sample.octets and seen.theirs - seen.ours in (1, 2)
    return (
        isinstance(seen.theirs, bytes)
        and "BODY.PEEK[" in seen.item
        and seen.theirs[-2:] == b"\r\n"
        and (seen.theirs[:-2] == seen.ours)
    )


def _header_without_an_end(seen: Seen) -> bool:
    if "HEADER.FIELDS" not in seen.item or not isinstance(seen.theirs, bytes) or not isinstance(seen.ours, bytes):
        return False
    return not seen.ours.endswith(b"\r\n\r\n") and seen.theirs.startswith(seen.ours)


def _white_space(seen: Seen) -> bool:
    if not isinstance(seen.theirs, bytes) or "[" in seen.item:
        return False
    return seen.theirs.strip(b" \t") == seen.ours


def _type_that_cannot_be_read(seen: Seen) -> bool:
    if seen.theirs == b"":
        return seen.ours == b"plain" and "BODY" in seen.item
    return (
        isinstance(seen.theirs, list)
        and isinstance(seen.ours, list)
        and seen.theirs[1:2] == [b""]
        and seen.ours[:3] == [b"text", b"plain", [b"charset", b"us-ascii"]]
    )


def _international(seen: Seen) -> bool:
    return b"message/global" in seen.sample.octets and (
        seen.theirs == b"" or (isinstance(seen.theirs, list) and seen.theirs[:2] == [b"message", b"global"])
    )


def _not_said_to_be_MIME(seen: Seen) -> bool:
    says = any(name in seen.sample.octets for name in (b"MIME-Version:", b"Content-Type:"))
    return not says and seen.theirs is None and isinstance(seen.ours, bytes) and seen.item.startswith("BODY")


def _encoded_charset(seen: Seen) -> bool:
    return (
        isinstance(seen.theirs, list)
        and isinstance(seen.ours, list)
        and b"charset*" in seen.ours
        and seen.theirs == [b"charset", b"us-ascii", *seen.ours]
    )


def _parameters_that_are_none(seen: Seen) -> bool:
    return any(text in seen.sample.octets for text in (b"text/plain; =x", b"text/plain;; name=x")) and isinstance(
        seen.ours, list
    )


def _languages(seen: Seen) -> bool:
    return seen.ours == [b"en", b"fr"] and seen.theirs == [b"en"]


def _boundary_with_a_space(seen: Seen) -> bool:
    return b'boundary="b "' in seen.sample.octets and seen.item.startswith("BODY")


def _in(*values: bytes) -> Callable[[Seen], bool]:
    """An address list that was written like one of these."""

    def applies(seen: Seen) -> bool:
        lists = (seen.theirs is None or address_list(seen.theirs)) and (seen.ours is None or address_list(seen.ours))
        return lists and any(b": %b\r\n" % value in seen.sample.octets for value in values)

    return applies


DIFFERENCES = (
    Difference("absent section", "RFC 9051 §4.5: NIL is what is not there, not the empty string", _absent),
    Difference("part of a leaf", "RFC 9051 §6.4.5.1: a part that holds no parts has none", _part_of_a_leaf),
    Difference(
        "line end of a boundary",
        "RFC 2046 §5.1.1: the line end in front of a boundary is the boundary's, whatever stands in front",
        _line_end_of_the_boundary,
    ),
    Difference(
        "header without an empty line",
        "RFC 9051 §6.4.5.1: no empty line is made up, and nothing is read that lies beyond the part",
        _header_without_an_end,
    ),
    Difference("white space behind a value", "RFC 5322 §3.2.2: it is folding white space, not content", _white_space),
    Difference("unreadable type", "RFC 2045 §5.2: text/plain; charset=us-ascii is assumed", _type_that_cannot_be_read),
    Difference("message/global", "RFC 9051 §7.5.2: it has an envelope and a structure", _international),
    Difference("no word of MIME", "RFC 9051 §7.5.2: Content-ID and -Description are shown", _not_said_to_be_MIME),
    Difference("encoded charset", "RFC 2231 §4: charset* is the charset, no default is added", _encoded_charset),
    Difference("empty parameter", "RFC 2045 §5.1: it is none, and hides no other", _parameters_that_are_none),
    Difference("empty language", "RFC 5322 §4.1: an empty member of a list hides no other", _languages),
    Difference(
        "boundary with a space", "RFC 2046 §5.1.1: a boundary does not end with a space", _boundary_with_a_space
    ),
    Difference(
        "obsolete address",
        "RFC 5322 §4.4: white space around dots and quoted words between them must be read",
        _in(b"a . b @ c . test", b'"a"."b"@c.test', b'a."b c"@d.test'),
    ),
    Difference(
        "empty member of an address list",
        "RFC 5322 §4.4: it must be read, and is no address",
        _in(b",", b";", b",a@b.test", b"a@b.test,,c@d.test", b"a@b.test, , c@d.test"),
    ),
    Difference(
        "rest of an address list",
        "RFC 9051 §7.5.2: the list has every address; one that cannot be read to its end ends nothing but itself",
        _in(
            b"Group: a@b.test; e@f.test",
            b"A: B: a@b.test;, c@d.test",
            b"Bob bob@b.test>, eve@c.test",
            b"a@b.test; c@d.test",
            b"a@b.test c@d.test, e@f.test",
            b"<a@b.test> <c@d.test>, e@f.test",
            b"<a@b.test> trailing, e@f.test",
            b"A; B <a@b.test>",
        ),
    ),
    Difference(
        "name that should be quoted",
        "RFC 5322 §3.4: the address is what stands in angle brackets, whatever stands in front of them",
        _in(
            b"Bob) <bob@b.test>",
            b"A\\B <a@b.test>",
            b"a\\b@c.test",
            b"[A] <a@b.test>",
            b"[A] B <a@b.test>, c@d.test",
            b"A [B] <a@b.test>",
            b"A@B <a@b.test>",
            b"a@b.test <a@b.test>",
            b".A <a@b.test>",
        ),
    ),
)
