"""A protocol of somebody else: installed, it is there; uninstalled, it is gone; no line of ours is changed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from worldmail.testing.process import ROOT, ServerProcess

OUTSIDE = Path(__file__).parent / "outside"
QOTD_PORT = 17


class Environment:
    """A virtual environment of its own, in which what runs the tests is importable too."""

    def __init__(self, directory: Path) -> None:
        venv.create(directory, with_pip=False, symlinks=True)
        self.python = directory / "bin" / "python"
        (site_packages,) = directory.glob("lib/python*/site-packages")
        ours = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT)]
        (site_packages / "the_tests_own.pth").write_text("\n".join(dict.fromkeys(ours)) + "\n")

    def pip(self, *arguments: str) -> None:
        """Run the pip of the tests on this environment; it needs no network."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "--disable-pip-version-check"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def worldmail(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line within it."""
        program = "from worldmail.cli.main import main; main()"
        return subprocess.run(
            [str(self.python), "-c", program, *arguments], capture_output=True, text=True, check=False
        )


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = Environment(tmp_path / "venv")
    shutil.copytree(OUTSIDE, tmp_path / "source")
    made.pip("install", "--no-build-isolation", "--no-deps", "--no-index", str(tmp_path / "source"))
    return made


@pytest.fixture
def server(environment: Environment, tmp_path: Path) -> Iterator[ServerProcess]:
    twistd = (str(environment.python), "-c", "from twisted.scripts.twistd import run; run()")
    made = ServerProcess(directory=tmp_path / "data", program=twistd)
    place = ("--listen", "127.0.0.1", "--port-base", str(made.port_base))
    done = environment.worldmail("init", str(made.directory), "--domain", "example.test", *place)
    assert done.returncode == 0, done.stderr
    yield made
    made.stop()


def quote(port: int) -> bytes:
    """What the service says."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        said = b""
        while data := connection.recv(1024):
            said += data
        return said


def test_an_installed_package_is_a_service_with_a_section(environment: Environment, server: ServerProcess) -> None:
    configuration = server.config.read_text()
    assert "[qotd]" in configuration
    assert f'listen = ["127.0.0.1:{server.port(QOTD_PORT)}"]' in configuration
    server.config.write_text(configuration.replace("#quote =", "quote =").replace("must get through", "is here"))
    checked = environment.worldmail("--config", str(server.config), "check")
    assert checked.returncode == 0, checked.stdout
    server.start(port=QOTD_PORT)
    assert quote(server.port(QOTD_PORT)) == b"The mail is here. (example.test)\r\n"


def test_its_section_is_checked_by_line_like_every_other(environment: Environment, server: ServerProcess) -> None:
    text = server.config.read_text().replace("#quote =", "qoute =")
    server.config.write_text(text)
    checked = environment.worldmail("--config", str(server.config), "check")
    line = text[: text.index("qoute")].count("\n") + 1
    assert checked.returncode == 1
    assert f"{server.config}:{line}: " in checked.stdout and "did you mean quote?" in checked.stdout


def test_uninstalled_it_is_gone(environment: Environment, server: ServerProcess) -> None:
    environment.pip("uninstall", "--yes", "worldmail-qotd")
    checked = environment.worldmail("--config", str(server.config), "check")
    assert checked.returncode == 1
    assert "[qotd] is no section" in checked.stdout
    assert environment.worldmail("init", f"{server.directory}-2", "--domain", "example.test").returncode == 0
    assert "qotd" not in Path(f"{server.directory}-2", "worldmail.toml").read_text()
