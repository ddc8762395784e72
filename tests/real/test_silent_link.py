"""A link that swallows all octets without a word, between a relay and its site: both ends find out, nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.real.test_relay_pair import (
    ANN,
    EVE,
    MISSING,
    PASSWORD,
    SUBMITS,
    Machine,
    Three,
    came,
    eventually,
    has_sent_all,
    is_waiting,
    three,
)

__all__ = ["three"]

pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
    pytest.mark.skipif(not os.environ.get("WORLDMAIL_LONG"), reason="takes minutes; in the long form"),
]

HOLE = "table ip hole {\n chain through { type filter hook forward priority -10; policy drop; }\n}\n"


@pytest.fixture
def hole(three: Three) -> Any:
    """Opens it in the site's gateway, and closes it again."""
    there = ("ip", "netns", "exec", f"{three.site.host.space}-gw", "nft", "-f", "-")
    path = {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])}

    def set_(is_open: bool) -> None:
        text = HOLE if is_open else "delete table ip hole\n"
        subprocess.run(there, input=text, text=True, check=True, env=path)

    return set_


def ended(machine: Machine, event: str) -> int:
    lines = [line for line in Path(machine.log).read_text().splitlines() if line.startswith("{")]
    return sum(json.loads(line)["event"] == event for line in lines)


def test_what_goes_into_a_silent_link_waits_at_both_ends_and_comes_once(three: Three, hole: Any) -> None:
    three.site.command("agent", "set", "relay.example", "stay=20s")
    eventually(lambda: ended(three.site, "agent") == 1)
    eventually(lambda: is_waiting(three.site))
    time.sleep(2)
    turns, runs = ended(three.relay, "turn"), ended(three.site, "agent")
    hole(True)
    try:
        for number in range(3):
            assert three.sends(ANN, f"hole {number}")[1].startswith("250")
        three.site.host.python(SUBMITS, ANN, PASSWORD, EVE, "out of the hole")
        eventually(lambda: ended(three.relay, "turn") > turns, within=180)
        eventually(lambda: ended(three.site, "agent") > runs, within=180)
        assert three.relay.command("queue", "list").count("held") == 3
    finally:
        hole(False)
    eventually(lambda: three.relay.command("queue", "list", "--json").strip() == "[]", within=400)
    for number in range(3):
        assert came(three.site.waits(ANN, f"hole {number}"))[1] == 1
    eventually(lambda: has_sent_all(three.site))
    assert came(three.stranger.waits(EVE, "out of the hole"))[1] == 1
