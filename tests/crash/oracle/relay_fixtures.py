"""The fixtures of the tests of mail that goes on: a site made once, and copies of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from oracle.relay_site import RelaySite
from worldmail.testing.names import NameServer
from worldmail.testing.process import TWISTD


class MakeRelay(Protocol):
    """See `make_relay`."""

    def __call__(self, program: tuple[str, ...] = ...) -> RelaySite: ...


@pytest.fixture(scope="session")
def prepared_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelaySite]:
    """The site, made once; tests run on copies of it, one at a time, on the same ports."""
    with NameServer({}) as names:
        site = RelaySite(place=tmp_path_factory.mktemp("relay"), names=names)
        site.prepare()
        yield site
        site.remove()


@pytest.fixture
def make_relay(prepared_relay: RelaySite, tmp_path: Path) -> Iterator[MakeRelay]:
    """Makes a copy of the site whose first server is this program."""
    made: list[RelaySite] = []

    def make(program: tuple[str, ...] = TWISTD) -> RelaySite:
        made.append(prepared_relay.copy(tmp_path / f"site{len(made)}", program))
        return made[-1]

    yield make
    for site in made:
        site.remove()
        print(site.first.tail(1500), site.last.tail(500))
