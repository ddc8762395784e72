"""ENVELOPE, BODYSTRUCTURE, BODY, sizes and section octets of a large corpus: ours beside Dovecot's.

Ours are those of the functions that make them, and those of a running server to which the corpus was appended.

Where they differ, one of the `DIFFERENCES` says why, with its RFC; each of these is seen at least once, and there
are no others. How a string is spelled (quoted, literal) and in which order parameters come (RFC 2045 §5.1) is none.
"""

from __future__ import annotations

import imaplib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.real.conftest import ANN, Site
from tests.real.dovecot import Dovecot, missing
from tests.real.imap_answers import Server, Value, parse
from tests.real.imap_differences import DIFFERENCES, Seen, address_list
from tests.real.mail_corpus import Sample, generated, of_the_standard_library
from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.sections import Kind, Section, find_section, numbered
from worldmail.mail.mime.structure import render_structure
from worldmail.protocols.imap.fetch.body import without_extensions

Side = Callable[[int, Sample, Sequence[str]], dict[str, Value]]
"""Answers FETCH: the number of a message, the message, items; each item's value."""

WHOLE = ("ENVELOPE", "BODYSTRUCTURE", "BODY", "RFC822.SIZE")
CHOSEN, OTHERS = "HEADER.FIELDS (From Subject)", "HEADER.FIELDS.NOT (From Subject)"
ABSENT = ("99", "1.99", "2.1", "1.1.1", "0", "99.MIME", "99.HEADER")
PIECES = (("", "0.10"), ("HEADER", "5.20"), (CHOSEN, "3.8"), ("TEXT", "2.1000000"), ("1", "3.3"), ("1.MIME", "99999.1"))
MOST_PARTS = 60
NO_PART = "BODY.PEEK[0]"


@pytest.fixture(scope="module")
def corpus() -> list[Sample]:
    """The samples; without CPython's own where its test package is missing, which in CI is an error."""
    samples = of_the_standard_library()
    if not samples:
        reason = "the package test.test_email is not installed (Debian: libpython3.11-testsuite)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        print(reason)
    return [sample for sample in [*samples, *generated()] if sample.octets]


@pytest.fixture(scope="module")
def dovecot(corpus: list[Sample]) -> Iterator[Server]:
    """A mailbox with the corpus in it."""
    reason = missing()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not below pytest's directory: the names of Dovecot's sockets would be too long.
    with tempfile.TemporaryDirectory(prefix="dovecot") as directory:
        server = Dovecot(directory=Path(directory))
        with server.running():
            connection = server.connect()
            yield filled(connection, corpus)
            connection.logout()


@pytest.fixture(scope="module")
def their_answers(corpus: list[Sample], dovecot: Server) -> list[dict[str, Value]]:
    """What Dovecot answers of each message."""
    return [dovecot.answers(number, items_of(sample.octets)) for number, sample in enumerate(corpus, 1)]


@pytest.fixture(scope="module")
def server(corpus: list[Sample], served: Site) -> Iterator[Server]:
    """The same mailbox on our own server."""
    served.clear(ANN)
    connection = served.imaps(ANN)
    yield filled(connection, corpus)
    connection.logout()


def filled(connection: imaplib.IMAP4, corpus: list[Sample]) -> Server:
    """An INBOX with the corpus in it, selected. Many messages a command (RFC 3502), none waited for (RFC 7888)."""
    assert {"MULTIAPPEND", "LITERAL+"} <= set(connection.capability()[1][0].decode().split())
    for at in range(0, len(corpus), 100):
        literals = (b" {%d+}\r\n%b" % (len(one.octets), one.octets) for one in corpus[at : at + 100])
        connection.send(b"a APPEND INBOX" + b"".join(literals) + b"\r\n")
        while not (line := connection.readline()).startswith(b"a "):
            assert line.startswith(b"* "), line
        assert line.startswith(b"a OK "), line
    assert connection.select("INBOX") == ("OK", [b"%d" % len(corpus)])
    return Server(connection)


def items_of(message: bytes) -> list[str]:
    """What is asked for: all that shows the structure, and the octets of each section that there is or might be."""
    texts = ["", "HEADER", "TEXT", CHOSEN, OTHERS]
    for path, part in numbered(scan(message))[:MOST_PARTS]:
        number = ".".join(map(str, path))
        texts += [number, f"{number}.MIME", f"{number}.HEADER", f"{number}.TEXT"]
        if part.is_message:
            texts += [f"{number}.{CHOSEN}", f"{number}.{OTHERS}"]
    sections = [f"BODY.PEEK[{text}]" for text in dict.fromkeys([*texts, *ABSENT])]
    return [*WHOLE, *sections, *(f"BODY.PEEK[{text}]<{piece}>" for text, piece in PIECES)]


def section(text: str) -> Section:
    """What stands between the brackets."""
    spec, _, names = text.partition(" ")
    words = spec.split(".")
    numbers = [word for word in words if word.isdigit()]
    kind = Kind(".".join(words[len(numbers) :]))
    return Section(tuple(map(int, numbers)), kind, frozenset(names.strip("()").lower().encode().split()))


def ours(_: int, sample: Sample, items: Sequence[str]) -> dict[str, Value]:
    """The answers of our functions."""
    message = sample.octets
    root = scan(message)
    answers: dict[str, Value] = {
        "ENVELOPE": parse(render_envelope(root.fields))[0],
        "BODYSTRUCTURE": parse(render_structure(root))[0],
        "BODY": parse(without_extensions(render_structure(root)))[0],
        "RFC822.SIZE": root.end - root.start,
    }
    for item in items[len(WHOLE) :]:
        text, _, piece = item.partition("[")[2].rpartition("]")
        found = find_section(message, root, section(text))
        if found is not None and piece:
            found = found.partial(*map(int, piece.strip("<>").split(".")))
        answers[item] = None if found is None else found.octets(message)
    return answers


def compare(
    corpus: Sequence[Sample], theirs: Sequence[dict[str, Value]], mine: Side
) -> tuple[int, Counter[str], list[Seen]]:
    """How many items were compared, how often each named difference was seen, and all others."""
    compared, named, unnamed = 0, Counter[str](), []
    for number, (sample, their_answers) in enumerate(zip(corpus, theirs, strict=True), 1):
        my_answers = mine(number, sample, list(their_answers))
        compared += len(their_answers)
        for item, answer in their_answers.items():
            for their, my in differing(normal(answer), normal(my_answers[item])):
                seen = Seen(sample, item, their, my)
                name = next((difference.name for difference in DIFFERENCES if difference.applies(seen)), None)
                if name is None:
                    unnamed.append(seen)
                else:
                    named[name] += 1
    return compared, named, unnamed


def normal(value: Value) -> Value:
    """Parameters in the order of their names."""
    if not isinstance(value, list):
        return value
    if len(value) % 2 == 0 and all(isinstance(member, bytes) for member in value):
        pairs = sorted(zip(value[::2], value[1::2], strict=True), key=repr)
        return [member for pair in pairs for member in pair]
    return [normal(member) for member in value]


def differing(their: Value, my: Value) -> Iterator[tuple[Value, Value]]:
    """The smallest values that differ; an address list is one value."""
    if their == my:
        return
    addresses = address_list(their) and address_list(my)
    if not addresses and isinstance(their, list) and isinstance(my, list) and len(their) == len(my):
        for their_member, my_member in zip(their, my, strict=True):
            yield from differing(their_member, my_member)
    else:
        yield their, my


def assert_agreement(corpus: list[Sample], theirs: list[dict[str, Value]], mine: Side) -> None:
    """They differ in the named ways alone, and in each of these."""
    compared, named, unnamed = compare(corpus, theirs, mine)
    print(f"{len(corpus)} messages, {compared} items compared; differences: {dict(named)}")
    assert not unnamed, "\n".join(map(str, unnamed[:20]))
    assert len(corpus) > 1000 and compared > 20_000
    never = [difference.name for difference in DIFFERENCES if difference.name not in named]
    assert not never, f"no longer seen: {never}"


def test_our_functions_answer_as_Dovecot_does_but_for_the_named_differences(
    corpus: list[Sample], their_answers: list[dict[str, Value]]
) -> None:
    assert_agreement(corpus, their_answers, ours)


def test_our_server_answers_as_Dovecot_does_but_for_the_named_differences(
    corpus: list[Sample], their_answers: list[dict[str, Value]], server: Server
) -> None:
    def answers(number: int, _: Sample, items: Sequence[str]) -> dict[str, Value]:
        return {NO_PART: None, **server.answers(number, [item for item in items if item != NO_PART])}

    assert_agreement(corpus, their_answers, answers)
    with pytest.raises(imaplib.IMAP4.error, match="BAD"):  # RFC 9051 §9: nz-number
        server.answers(1, [NO_PART])
