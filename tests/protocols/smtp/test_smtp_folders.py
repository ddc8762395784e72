"""Mail for user+folder on the real store: in by SMTP, found in the folder."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from attrs import evolve

from worldmail.interfaces.directory import Account
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.settings import SmtpSettings
from worldmail.protocols.smtp.verbs import ROWS
from worldmail.testing.feeding import converse, loopback_peer
from worldmail.testing.real_store import RealStoreWorld, settle
from worldmail.testing.smtp import TLS, envelope


@pytest.fixture
def site() -> Iterator[RealStoreWorld]:
    made = RealStoreWorld.make()
    for name in ("bob", "amy"):
        made.add_account(f"{name}@example.test", "secret")
    yield made
    settle(made.database.stop())


def account(site: RealStoreWorld, name: str) -> Account:
    return site.memory.directory.accounts[f"{name}@example.test"]


def send(site: RealStoreWorld, recipient: bytes, *, listener: str = "smtp", sign_in: bytes = b"") -> None:
    settings = SmtpSettings()
    found = next(each for each in settings.listeners if each.name == listener)
    session = Session(Entrance.make(site.world, settings, found, ROWS))
    peer = evolve(loopback_peer(), tls=TLS if sign_in else None)
    sender = b"<amy@example.test>" if sign_in else b"<who@far.example>"
    begin, _, rest = envelope(sender, recipient).partition(b"\r\n")
    text = begin + b"\r\n" + sign_in + rest + b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
    talk = settle(converse(session, [text], peer))
    assert b"250 2.0.0" in talk.output


def held(site: RealStoreWorld) -> dict[str, int]:
    boxes = settle(site.world.mailboxes.mailboxes(account(site, "bob").id))
    return {box.name: box.messages for box in boxes if box.messages}


def test_mail_for_a_folder_in_which_anyone_may_post_goes_there(site: RealStoreWorld) -> None:
    bob = account(site, "bob")
    settle(site.world.folders.create(bob, "Lists/Work"))
    send(site, b"<bob+lists/work@example.test>")
    assert held(site) == {"INBOX": 1}
    settle(site.world.folders.set_rights(bob, "Lists/Work", "anyone", "p", "="))
    send(site, b"<Bob+lists/work@example.test>")
    send(site, b"<bob+lists@example.test>")
    assert held(site) == {"INBOX": 2, "Lists/Work": 1}
    settle(site.world.folders.delete(bob, "Lists/Work"))
    send(site, b"<bob+lists/work@example.test>")
    assert held(site) == {"INBOX": 3}


def test_a_right_of_the_senders_own_holds_once_it_signed_in(site: RealStoreWorld) -> None:
    bob = account(site, "bob")
    settle(site.world.folders.set_rights(bob, "Junk", "amy@example.test", "p", "="))
    send(site, b"<bob+junk@example.test>")
    assert held(site) == {"INBOX": 1}
    token = base64.b64encode(b"\0amy@example.test\0secret")
    send(site, b"<bob+junk@example.test>", listener="submission", sign_in=b"AUTH PLAIN " + token + b"\r\n")
    assert held(site) == {"INBOX": 1, "Junk": 1}
