"""What becomes of a signed-in session when its account changes, and how many of them an account may have."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from attrs import evolve

from worldmail.errors import TemporaryFailure
from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.smtp import SmtpScene

SIGN_IN = b"EHLO a\r\nAUTH PLAIN " + base64.b64encode(b"\0bob@example.test\0secret") + b"\r\n"
ENVELOPE = b"MAIL FROM:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\n"


class Client:
    """One connection to a submission port."""

    def __init__(self, scene: SmtpScene, session: Any = None) -> None:
        self.scene = scene
        self.session = session or scene.make_session()
        self.conductor = Conductor(dialogue=self.session, peer=scene.make_peer())
        settle(self.conductor.open())

    def say(self, text: bytes) -> list[str]:
        """The first four digits and letters of each line that came back."""
        seen = len(self.conductor.held.output)
        settle(self.conductor.feed(text))
        return [line.decode() for line in self.conductor.held.output[seen:].split(b"\r\n")[:-1]]


def signed_in(text: bytes = b"") -> Client:
    client = Client(SmtpScene(listener="submission", tls=True))
    assert client.say(SIGN_IN)[-1].startswith("235")
    if text:
        client.say(text)
    return client


def change(client: Client, **fields: Any) -> None:
    accounts = client.scene.world.directory.accounts
    accounts["bob@example.test"] = evolve(accounts["bob@example.test"], **fields)


@pytest.mark.parametrize("fields", [{"generation": 2}, {"enabled": False}, {"id": 7}])
@pytest.mark.parametrize(
    ("before", "command"),
    [
        (b"", b"NOOP\r\n"),
        (b"", b"MAIL FROM:<bob@example.test>\r\n"),
        (ENVELOPE, b"DATA\r\n"),
        (ENVELOPE, b"BDAT 6 LAST\r\nRSET\r\n"),
    ],
)
def test_a_changed_account_ends_the_session_at_its_next_command(
    fields: dict[str, Any], before: bytes, command: bytes
) -> None:
    client = signed_in(before)
    change(client, **fields)
    assert client.say(command) == ["421 4.7.0 mail.example.test Your account was changed, please sign in again"]
    assert client.conductor.held.closed
    assert not client.scene.contents()


def test_a_new_name_ends_nothing_and_a_new_limit_holds_at_once() -> None:
    client = signed_in()
    change(client, name="Bob", max_message=1000)
    assert client.say(b"NOOP\r\n")[0].startswith("250 ")
    assert client.say(b"MAIL FROM:<bob@example.test> SIZE=2000\r\n")[0].startswith("552 5.3.4")


def test_a_removed_account_ends_the_session_at_its_next_command() -> None:
    client = signed_in()
    client.scene.world.directory.accounts.clear()
    assert client.say(b"NOOP\r\n")[0].startswith("421 4.7.0 ")


def test_an_account_that_cannot_be_looked_at_ends_the_session_for_the_time_being(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = signed_in(ENVELOPE)

    def away(self: object, address: object) -> None:
        raise TemporaryFailure

    monkeypatch.setattr(type(client.scene.world.directory), "account", away)
    replies = client.say(b"BDAT 6 LAST\r\nRSET\r\n")
    assert len(replies) == 1 and replies[0].startswith("421 4.3.0 ")


def test_an_account_has_so_many_sessions_and_no_more() -> None:
    scene = SmtpScene(listener="submission", tls=True, prepare=lambda world: setattr(world.world.limits, "accounts", 1))
    first = Client(scene)
    assert first.say(SIGN_IN)[-1].startswith("235")
    second = Client(scene, type(first.session)(first.session.entrance))
    replies = second.say(SIGN_IN)
    assert replies[-1] == "421 4.7.0 mail.example.test Too many sessions of this account, please try again later"
    assert second.conductor.held.closed
    second.session.closed("gone")
    first.session.closed("gone")
    third = Client(scene, type(first.session)(first.session.entrance))
    assert third.say(SIGN_IN)[-1].startswith("235")


def test_a_login_in_the_clear_that_is_forgotten_by_starttls_counts_no_more() -> None:
    client = signed_in()
    client.session.secured(client.scene.make_peer())
    limits = client.scene.world.world.limits
    limits.accounts = 1
    assert limits.sign_in(1, "127.0.0.1")
