"""What the log hears of turns that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from tests.protocols.smtp.test_smtp_releases import LOGIN, Releases
from worldmail.errors import Refusal
from worldmail.interfaces.releases import NothingWaits, NotYours, TurnBusy
from worldmail.testing.smtp import SmtpScene


@pytest.mark.parametrize(("refusal", "recorded"), [(NotYours, 1), (TurnBusy, 1), (NothingWaits, 0)])
def test_an_atrn_that_is_refused_is_in_the_log(refusal: type[Refusal], recorded: int) -> None:
    worlds: list[Any] = []

    def prepare(world: Any) -> None:
        worlds.append(world)
        world.world = evolve(world.world, releases=Releases(refusal=refusal()))

    changes = {"role": "odmr", "name": "odmr"}
    scene = SmtpScene(prepare=prepare, tls=True, listener="submission", changes=changes)
    scene.play(LOGIN + b"ATRN other.test\r\n")
    told = [fields for event, fields in worlds[-1].journal.records if event == "refused"]
    assert [(each["stage"], each["argument"]) for each in told] == [("ATRN", "other.test")] * recorded
