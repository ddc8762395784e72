"""What every test may rely on."""

from __future__ import annotations

import functools
import gc
import importlib.metadata
import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from twisted.trial.unittest import SynchronousTestCase

from worldmail.testing.last_words import ends_of_logs
from worldmail.testing.postgres import NoPostgres, PostgresProcess
from worldmail.testing.process import ServerProcess, free_port_base

# Machines are noisy: no example fails for the time that it, or making it, took. The suite tries the same examples each
# time, so that what breaks it is what was changed; the long forms try others.
_UNHURRIED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("steady", **_UNHURRIED, derandomize=True)
settings.register_profile("searching", **_UNHURRIED)
settings.load_profile("searching" if os.environ.get("WORLDMAIL_LONG") else "steady")

# pytest asks for Twisted's version before each test, which is to read all of its metadata.
importlib.metadata.version = functools.cache(importlib.metadata.version)

_HERE = Path(__file__).parent


def pytest_collection() -> None:
    """What is collected stays until the end: to look through it again and again takes a third of the time."""
    gc.disable()


_LONG = ("crash", "real", "faults", "app", "store", "queue", "cli", "database", "ondemand")
"""Directories in which a file takes long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long is begun first: then no process of the suite is at the last file while the others are done."""
    places = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path.relative_to(_HERE).parts[0], len(_LONG)))


def pytest_collection_finish() -> None:
    """Garbage is looked for from here on, and among what the tests make."""
    gc.collect()
    gc.freeze()
    gc.enable()


_BEGAN: pytest.StashKey[float] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """When each test began."""
    item.stash[_BEGAN] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What fails shows the ends of the logs of its servers, which are still there now."""
    report = yield
    if report.failed:
        report.sections.extend(ends_of_logs(item.stash.get(_BEGAN, 0.0)))
    return report


@pytest.fixture(autouse=True, scope="session")
def trial_names_lie_in_the_temporary_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """trial's `mktemp` makes directories where the suite was started; there they would stay."""
    before = SynchronousTestCase.mktemp
    SynchronousTestCase.mktemp = lambda self: str(tmp_path_factory.mktemp("trial") / "temp")  # type: ignore[method-assign]
    yield
    SynchronousTestCase.mktemp = before  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    """A site to copy: making one takes most of a second."""
    made = ServerProcess(directory=tmp_path_factory.mktemp("template") / "data", port_base=free_port_base(lasting=True))
    made.initialise()
    return made


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresProcess]:
    """A PostgreSQL server; each `url()` is an empty database to its user. Making one takes some seconds."""
    try:
        server = PostgresProcess()
    except NoPostgres as reason:
        pytest.skip(str(reason))
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres(request: pytest.FixtureRequest, postgres_server: PostgresProcess) -> PostgresProcess:
    """The server; trial's test cases find it as their attribute `postgres`."""
    if request.instance is not None:
        request.instance.postgres = postgres_server
    return postgres_server
