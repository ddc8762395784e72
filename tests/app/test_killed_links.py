"""A metered link whose server is killed while it is up: what its day has cost is known, and its mail goes once."""

from __future__ import annotations

from pathlib import Path

from tests.app.conftest import until
from tests.app.test_links import Line, behind, delivered, dialled, line, link, send, site, state
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

__all__ = ["behind", "line", "site"]


def spent(server: ServerProcess) -> int:
    return int(link(server, "show", "isp", "--json").json["spent"] or 0)


def said(server: ServerProcess) -> str:
    """Why what waits does so."""
    return " ".join(row["said"] for row in Commands(server.config).ok("queue", "list", "--json").json)


def test_what_a_metered_link_carried_before_its_server_was_killed_is_counted_after(
    behind: ServerProcess, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(behind, place, "kind=metered", "most=1MiB", "idle=1h")
    behind.start()
    before = 0
    for number in range(1, 4):
        send(behind, "postmaster@shop.test")
        until(lambda: delivered(site) >= number)  # noqa: B023 - it is over before the next
        until(lambda: spent(behind) > before)  # noqa: B023 - and is counted a moment later
        before = spent(behind)
    assert line.up.exists()
    behind.kill()
    behind.start()
    until(lambda: not line.up.exists() or state(behind) == "up")
    assert spent(behind) == before
    Commands(behind.config).ok("link", "set", "isp", f"most={before + 10}", "idle=1s")
    send(behind, "postmaster@shop.test")
    until(lambda: said(behind))
    assert delivered(site) == 3
    Commands(behind.config).ok("link", "set", "isp", "most=1MiB")
    until(lambda: delivered(site) == 4)
    until(lambda: not line.up.exists())
    assert line.early == 0
    assert spent(behind) > before
