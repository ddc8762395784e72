"""docs/imap.md: what is announced there is what the server announces."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldmail.testing.imap import ImapServer
from worldmail.testing.real_store import RealStoreWorld

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "imap.md").read_text()


_WITH_VALUES = ("AUTH=", "APPENDLIMIT=", "MESSAGELIMIT=", "SAVELIMIT=", "RIGHTS=")


def announced() -> list[str]:
    """The names, without their values, before and after the login."""
    site = RealStoreWorld.make()
    site.add_account("bob@example.test", "secret")
    server = ImapServer.over(site.world)
    lines = (
        server.connect().say(b"CAPABILITY"),
        server.connect().login(b"bob@example.test").say(b"CAPABILITY"),
    )
    names = {name.decode() for answer in lines for line in answer.untagged for name in line.split()[2:]}
    return sorted(name.partition("=")[0] if name.startswith(_WITH_VALUES) else name for name in names)


@pytest.mark.parametrize("name", sorted(set(announced())))
def test_a_capability_is_on_the_page(name: str) -> None:
    family, _, value = name.partition("=")
    assert name in PAGE or (family in PAGE and value in PAGE), name
