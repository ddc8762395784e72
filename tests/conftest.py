"""What every test may rely on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from twisted.trial.unittest import SynchronousTestCase

from worldmail.testing.postgres import NoPostgres, PostgresProcess
from worldmail.testing.process import ServerProcess

# Machines are noisy: no example fails for the time it took.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


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
    made = ServerProcess(directory=tmp_path_factory.mktemp("template") / "data")
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
