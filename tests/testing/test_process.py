"""Servers of tests: their ports are theirs, whichever of them runs now."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldmail.testing import process
from worldmail.testing.process import free_port_base, free_ports


def test_servers_that_do_not_run_yet_have_no_port_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GIVEN", {})
    bases = [free_port_base() for _ in range(7)]
    ports = [base + port for base in bases for port in process._STANDARD_PORTS]
    assert len(set(ports)) == len(ports)


def test_ports_of_other_servers_are_no_others_and_below_those_that_the_system_gives() -> None:
    few = free_ports(2, lasting=True)
    low, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert len(set(few)) == 2 and max(few) < low
    assert not {base + port for base in [free_port_base() for _ in range(50)] for port in (25, 79)} & set(few)


def test_bases_come_again_when_all_were_had_but_not_those_that_last() -> None:
    lasting = free_port_base(lasting=True)
    assert lasting not in [free_port_base() for _ in range(100)]
