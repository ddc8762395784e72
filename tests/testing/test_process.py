"""Servers of tests: their ports are theirs, whichever of them runs now."""

from __future__ import annotations

import pytest

from worldmail.testing import process
from worldmail.testing.process import free_port_base


def test_servers_that_do_not_run_yet_have_no_port_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GIVEN", {})
    bases = [free_port_base() for _ in range(7)]
    ports = [base + port for base in bases for port in process._STANDARD_PORTS]
    assert len(set(ports)) == len(ports)


def test_bases_come_again_when_all_were_had_but_not_those_that_last() -> None:
    lasting = free_port_base(lasting=True)
    assert lasting not in [free_port_base() for _ in range(100)]
