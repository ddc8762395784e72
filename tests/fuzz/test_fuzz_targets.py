"""The short form of fuzzing: every target over its seeds and some thousands of their mutants."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from targets import TARGETS

from worldmail.testing.seeds import seed_of

PIECES = (
    b"\r\n",
    b"\r",
    b"\n",
    b".",
    b"\0",
    b"<",
    b">",
    b":",
    b"@",
    b'"',
    b"\\",
    b"[",
    b" ",
    b"=",
    b"\xff",
    b"\xc3\xbc",
    b"9" * 20,
)
ROUNDS = 300


def mutants(seeds: tuple[bytes, ...], chance: random.Random) -> Iterator[bytes]:
    """The seeds, then octets made of them by cutting, swapping, repeating and inserting."""
    yield from seeds
    for _ in range(ROUNDS):
        octets = chance.choice(seeds)
        for _ in range(chance.randint(1, 4)):
            start, end = sorted(chance.randint(0, len(octets)) for _ in range(2))
            middle = chance.choice(
                (b"", octets[start:end] * 2, chance.choice(PIECES), chance.randbytes(2), octets[start:end].swapcase())
            )
            octets = octets[:start] + middle + octets[end:]
        yield octets


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_of_the_seeds_raise_nothing_unforeseen(name: str) -> None:
    seed = seed_of("FUZZ_SEED")
    target = TARGETS[name]
    for octets in mutants(target.seeds, random.Random(seed)):
        try:
            target(octets)
        except Exception as error:
            raise AssertionError(f"FUZZ_SEED={seed}: {name} with {octets!r}: {error!r}") from error


def test_a_target_that_raises_what_it_may_not_is_noticed() -> None:
    with pytest.raises(UnicodeDecodeError):
        TARGETS["lines"].__class__(run=bytes.decode, allowed=(KeyError,))(b"\xff")
