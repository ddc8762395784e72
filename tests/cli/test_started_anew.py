"""Commands whose process begins with nothing imported: each noun brings along what it needs, and answers the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Commands
from worldmail.cli.main import NOUNS
from worldmail.testing.process import ServerProcess

POSTMASTER = "postmaster@example.test"
SAMPLES = {
    "agent": ("agent", "set", "--json"),
    "alias": ("alias", "add", "info@example.test", POSTMASTER),
    "check": ("check",),
    "domain": ("domain", "set", "example.test", "quota=5MiB", "--json"),
    "folder": ("folder", "rights", POSTMASTER, "Sent", "--json"),
    "hold": ("hold", "set", "--json"),
    "init": ("init", "{data}", "--domain", "example.test"),
    "join": ("join", "AQAB"),
    "link": ("link", "set", "--json"),
    "queue": ("queue", "list", "--json"),
    "recipient": ("recipient", "list", "relay.test"),
    "relay": ("relay", "list", "--json"),
    "route": ("route", "which", "a@elsewhere.test"),
    "search": ("search", "status"),
    "tap": ("tap", "-o", "/nowhere/it.tap"),
    "trace": ("trace", POSTMASTER),
    "unclaimed": ("unclaimed", "list", "--json"),
    "user": ("user", "show", POSTMASTER),
}


def test_there_is_a_sample_of_every_noun() -> None:
    assert SAMPLES.keys() == NOUNS.keys()


@pytest.mark.parametrize("noun", SAMPLES)
def test_a_command_that_is_started_anew_answers_as_one_that_was_forked(site: ServerProcess, noun: str) -> None:
    words = [word.replace("{data}", str(site.directory)) for word in SAMPLES[noun]]
    ours, anew = (Commands(site.config, forked=forked)(*words) for forked in (True, False))
    assert (ours.status, ours.out, ours.err) == (anew.status, anew.out, anew.err)


def test_the_console_script_is_the_command(site: ServerProcess) -> None:
    script = Path(sys.executable).with_name("worldmail")
    if not script.exists():
        pytest.skip("it is not installed")
    done = subprocess.run([script, "--config", site.config, "user", "list"], capture_output=True, text=True, check=True)
    assert done.stdout == Commands(site.config).ok("user", "list").out
    assert subprocess.run([script, "no-such"], capture_output=True, check=False).returncode == 2
