"""Messages to compare servers by: the samples of CPython's own test package, and generated ones.

The generated ones are the same in every run: each is a small message with one thing in it that is read in more than
one way, or a random tree made of such things.
"""

from __future__ import annotations

import random
from importlib import resources
from importlib.util import find_spec

from attrs import frozen

from tests.real.mail_pieces import ADDRESS_LISTS, DESCRIPTIONS, IDS, MULTIPARTS, ONCE, TEXTS, TYPES, WHOLE


@frozen
class Sample:
    """A message with CRLF line ends, and a name to find it by."""

    name: str
    octets: bytes


def with_crlf(text: bytes) -> bytes:
    """Each line ends with CRLF, as it does in a message that came by SMTP."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def of_the_standard_library() -> list[Sample]:
    """The sample messages of the package `test`; none where Python comes without it."""
    if find_spec("test") is None or find_spec("test.test_email") is None:
        return []
    folder = resources.files("test.test_email") / "data"
    return [
        Sample(f"cpython {entry.name}", with_crlf(entry.read_bytes()))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".txt")
    ]


def _lines(*lines: bytes) -> bytes:
    return b"\r\n".join(lines) + b"\r\n"


def _field(name: bytes, value: bytes) -> Sample:
    """A message with this field, which says that it is MIME."""
    message = _lines(b"MIME-Version: 1.0", b"%b: %b" % (name, value), b"", b"text")
    return Sample(f"{name.decode()} {value[:60]!r}", message)


def _headers() -> list[Sample]:
    samples = []
    for number, value in enumerate(ADDRESS_LISTS):
        samples.append(Sample(f"To {value[:60]!r}", _lines(b"From: x@y.test", b"To: " + value, b"", b"text")))
        name = (b"From", b"Sender", b"Reply-To", b"Cc", b"Bcc")[number % 5]
        message = _lines(b"From: Y <x@y.test>", b"%b: %b" % (name, value), b"", b"text")
        samples.append(Sample(f"{name.decode()} {value[:60]!r}", message))
    for name in (b"Subject", b"Date", b"In-Reply-To", b"Message-ID", b"Content-Description"):
        samples += [_field(name, value) for value in TEXTS]
    for name in (b"Message-ID", b"In-Reply-To", b"Content-ID"):
        samples += [_field(name, value) for value in IDS]
    for name in ONCE:
        message = _lines(b"MIME-Version: 1.0", b"%b: one/a" % name, b"%b: two/b" % name, b"", b"text")
        samples.append(Sample(f"twice {name.decode()}", message))
    return samples


def _contents() -> list[Sample]:
    samples = []
    for value in TYPES:
        message = _lines(b"MIME-Version: 1.0", b"Content-Type: " + value, b"", b"one", b"two")
        samples.append(Sample(f"type {value!r}", message))
    for described in DESCRIPTIONS:
        for kind in (b"text/plain", b"image/gif", b"multipart/mixed; boundary=b"):
            message = _lines(b"Content-Type: " + kind, described, b"", b"--b", b"", b"one", b"--b--")
            samples.append(Sample(f"{kind.decode()} {described!r}", message))
    return samples


def _multiparts() -> list[Sample]:
    samples = []
    for name, (given, *body) in MULTIPARTS.items():
        for subtype in (b"mixed", b"digest"):
            for ending in (b"\r\n", b""):
                field = b"Content-Type: multipart/%b; %b" % (subtype, given)
                message = b"\r\n".join((b"Subject: x", field, b"", *body)) + ending
                samples.append(Sample(f"{subtype.decode()}, {name}, {ending!r}", message))
    return samples


# --- random trees ---------------------------------------------------------------------------------


class _Tree:
    """Random messages; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._boundaries = 0

    def message(self, depth: int = 0) -> bytes:
        choose = self._random.choice
        fields = [
            b"From: " + choose(ADDRESS_LISTS[:40]),
            b"To: " + choose(ADDRESS_LISTS[:40]),
            b"Subject: " + choose(TEXTS),
            b"Date: Sun, 22 Nov 2026 01:00:00 +0000",
            b"Message-ID: " + choose(IDS[:5]),
        ]
        self._random.shuffle(fields)
        return b"\r\n".join((*fields[: self._random.randrange(1, 6)], self.part(depth)))

    def part(self, depth: int) -> bytes:
        draw = self._random.random()
        if depth < 6 and draw < 0.45:
            return self._multipart(depth)
        if depth < 6 and draw < 0.6:
            return _lines(b"Content-Type: message/rfc822", b"") + self.message(depth + 1)
        some = self._random.sample(DESCRIPTIONS, self._random.randrange(3))
        described = list({value.partition(b":")[0]: value for value in some}.values())
        kind = self._random.choice(TYPES[:12])
        text = [self._random.choice(TEXTS) for _ in range(self._random.randrange(4))]
        return b"\r\n".join((b"Content-Type: " + kind, *described, b"", *text))

    def _multipart(self, depth: int) -> bytes:
        choose = self._random.choice
        self._boundaries += choose((1, 1, 1, 0))
        boundary = b"=_b%d" % self._boundaries
        subtype = choose((b"mixed", b"alternative", b"digest", b"related"))
        pieces = [b'Content-Type: multipart/%b; boundary="%b"\r\n' % (subtype, boundary)]
        pieces.append(choose((b"", b"before\r\n")))
        for _ in range(self._random.randrange(4)):
            pieces.append(b"--%b%b" % (boundary, choose((b"", b"", b" ", b"\t"))))
            pieces.append(self.part(depth + 1))
        if self._random.random() < 0.85:
            pieces.append(b"--%b--" % boundary)
            pieces.append(choose((b"", b"behind\r\n")))
        return b"\r\n".join(pieces)


def generated(trees: int = 400) -> list[Sample]:
    """All generated messages."""
    whole = [Sample(name, octets) for name, octets in WHOLE.items()]
    random_ones = [Sample(f"tree {seed}", _Tree(seed).message()) for seed in range(trees)]
    return [*whole, *_headers(), *_contents(), *_multiparts(), *random_ones]
