"""The fixtures of the tests of turns: a relay and a site made once, and copies of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from oracle.turn_site import TurnSite
from worldmail.testing.process import TWISTD


class MakeTurns(Protocol):
    """See `make_turns`."""

    def __call__(self, relay: tuple[str, ...] = ..., site: tuple[str, ...] = ...) -> TurnSite: ...


@pytest.fixture(scope="session")
def prepared_turns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TurnSite]:
    """Both, made once; tests run on copies of them, one at a time, on the same ports and links."""
    made = TurnSite(place=tmp_path_factory.mktemp("turns"))
    made.link()
    try:
        made.prepare()
        yield made
    finally:
        made.unlink()


@pytest.fixture(scope="session")
def prepared_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TurnSite]:
    """The same, joined by a code."""
    made = TurnSite(place=tmp_path_factory.mktemp("pair"), paired=True)
    made.link()
    try:
        made.prepare()
        yield made
    finally:
        made.unlink()


@pytest.fixture
def make_turns(prepared_turns: TurnSite, tmp_path: Path) -> Iterator[MakeTurns]:
    """Makes a copy of them whose servers are these programs."""
    yield from _copies(prepared_turns, tmp_path)


@pytest.fixture
def make_pair(prepared_pair: TurnSite, tmp_path: Path) -> Iterator[MakeTurns]:
    """The same of a pair."""
    yield from _copies(prepared_pair, tmp_path)


def _copies(prepared: TurnSite, tmp_path: Path) -> Iterator[MakeTurns]:
    made: list[TurnSite] = []

    def make(relay: tuple[str, ...] = TWISTD, site: tuple[str, ...] = TWISTD) -> TurnSite:
        made.append(prepared.copy(tmp_path / f"turns{len(made)}", relay, site))
        return made[-1]

    yield make
    for place in made:
        place.kill()
        print(*(end.server.tail(1500) for end in place.ends), sep="\n")
