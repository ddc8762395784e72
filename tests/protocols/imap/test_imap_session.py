"""The session: greeting, signing in, states, what is announced, refusals, endings."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from attrs import evolve

from worldmail.errors import TooManyRequests
from worldmail.interfaces.directory import Account
from worldmail.protocols.imap.site import Site
from worldmail.testing.imap import ImapClient, ImapServer, talk_in_all_ways
from worldmail.testing.pop3 import MemoryChanges

PLAIN = base64.b64encode(b"\0bob@example.test\0secret")


@pytest.fixture
def server() -> ImapServer:
    """A server in TLS, without mailboxes."""
    return ImapServer.make()


@pytest.fixture
def client(server: ImapServer) -> ImapClient:
    """Somebody who was greeted."""
    return server.connect()


def names(client: ImapClient) -> set[bytes]:
    """The capabilities, as they are announced now."""
    [line] = client.say(b"CAPABILITY").of(b"CAPABILITY")
    return set(line.split()[2:])


# --- the greeting, and what is announced ---


def test_the_greeting_tells_the_capabilities_as_CAPABILITY_does(client: ImapClient) -> None:
    assert client.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    told = client.greeting.partition(b"]")[0].removeprefix(b"* OK [CAPABILITY ")
    assert set(told.split()) == names(client)


def test_in_the_clear_passwords_are_neither_announced_nor_taken() -> None:
    client = ImapServer.make(tls=False).connect()
    assert {b"STARTTLS", b"LOGINDISABLED"} <= names(client)
    assert not {name for name in names(client) if name.startswith(b"AUTH=")}
    refused = client.say(b"LOGIN bob@example.test secret")
    assert (refused.status, refused.code) == (b"NO", b"PRIVACYREQUIRED")
    assert client.say(b"AUTHENTICATE PLAIN " + PLAIN).status == b"NO"


def test_in_TLS_there_is_no_STARTTLS_and_what_is_for_those_who_signed_in_is_told_to_them(client: ImapClient) -> None:
    before = names(client)
    assert {b"AUTH=PLAIN", b"SASL-IR", b"LITERAL+"} <= before
    assert not before & {b"STARTTLS", b"LOGINDISABLED", b"NAMESPACE", b"COMPRESS=DEFLATE"}
    signed_in = client.say(b"LOGIN bob@example.test secret")
    assert signed_in.code is not None and signed_in.code.startswith(b"CAPABILITY ")
    after = names(client)
    assert set(signed_in.code.split()[1:]) == after
    assert {b"ENABLE", b"IDLE", b"NAMESPACE", b"COMPRESS=DEFLATE", b"UNAUTHENTICATE", b"LITERAL+"} <= after
    assert not {name for name in after if name.startswith(b"AUTH=")}


@pytest.mark.parametrize("tls", [True, False])
def test_ENABLE_and_IDLE_are_announced_before_the_login_for_clients_that_ask_only_then(tls: bool) -> None:
    client = ImapServer.make(tls=tls).connect()
    assert {b"ENABLE", b"IDLE"} <= names(client)
    assert client.say(b"ENABLE CONDSTORE").status == b"BAD"
    assert client.say(b"IDLE").status == b"BAD"


def test_LITERAL_MINUS_is_never_announced_beside_LITERAL_PLUS(client: ImapClient) -> None:
    assert b"LITERAL-" not in names(client) | names(client.login())


def test_a_listener_without_TLS_offers_none() -> None:
    server = ImapServer.make(tls=False)
    server = evolve(server, sessions=type(server.sessions)(evolve(server.sessions.site, offers_tls=False)))
    client = server.connect()
    assert b"STARTTLS" not in names(client)
    assert client.say(b"STARTTLS").status == b"NO"


# --- signing in ---


def test_LOGIN_takes_atoms_quoted_strings_and_literals(server: ImapServer) -> None:
    assert server.connect().say(b'LOGIN "bob@example.test" secret').status == b"OK"
    assert server.connect().say(b"LOGIN {} {}", b"bob@example.test", b"secret").status == b"OK"
    assert server.connect().say(b"LOGIN {+} {+}", b"bob@example.test", b"secret").status == b"OK"


def test_a_wrong_password_is_told_by_its_code_and_the_session_goes_on(client: ImapClient) -> None:
    refused = client.say(b"LOGIN bob@example.test wrong")
    assert (refused.status, refused.code) == (b"NO", b"AUTHENTICATIONFAILED")
    assert client.say(b"LOGIN bob@example.test secret").status == b"OK"
    assert client.session.user.address.local == "bob"


def test_AUTHENTICATE_with_and_without_an_initial_response(server: ImapServer) -> None:
    assert server.connect().send(b"a AUTHENTICATE PLAIN " + PLAIN + b"\r\n").startswith(b"a OK [CAPABILITY ")
    client = server.connect()
    assert client.send(b"a AUTHENTICATE plain\r\n") == b"+ \r\n"
    assert client.send(PLAIN + b"\r\n").startswith(b"a OK [CAPABILITY ")
    client = server.connect()
    assert client.send(b"a AUTHENTICATE LOGIN\r\n").startswith(b"+ ")
    assert client.send(base64.b64encode(b"bob@example.test") + b"\r\n").startswith(b"+ ")
    assert client.send(base64.b64encode(b"secret") + b"\r\n").startswith(b"a OK ")


def test_AUTHENTICATE_can_be_cancelled_and_malformed_responses_are_BAD(client: ImapClient) -> None:
    client.send(b"a AUTHENTICATE PLAIN\r\n")
    assert client.send(b"*\r\n") == b"a BAD Authentication cancelled\r\n"
    client.send(b"b AUTHENTICATE PLAIN\r\n")
    assert client.send(b"!!!\r\n").startswith(b"b BAD ")
    assert client.send(b"c AUTHENTICATE PLAIN =\r\n").startswith(b"c BAD ")
    assert client.send(b"d AUTHENTICATE NONSUCH\r\n").startswith(b"d NO ")
    assert client.closed is None


def test_who_signed_in_cannot_sign_in_again(client: ImapClient) -> None:
    client.login()
    for again in (b"LOGIN bob@example.test secret", b"AUTHENTICATE PLAIN", b"STARTTLS"):
        assert client.say(again).status == b"BAD"


def test_an_account_with_too_many_sessions_gets_no_more(server: ImapServer) -> None:
    server.world.limits.accounts = 1
    first, second = server.connect().login(), server.connect()
    refused = second.say(b"LOGIN bob@example.test secret")
    assert (refused.status, refused.code) == (b"NO", b"LIMIT")
    first.say(b"LOGOUT")
    assert second.login().closed is None


def test_a_login_that_fails_halfway_gives_everything_back(server: ImapServer) -> None:
    changes: MemoryChanges = server.changes

    class Gone:
        def account(self, address: object) -> Any:
            raise TooManyRequests

    world = evolve(server.world, directory=Gone())
    other = ImapServer.over(world, memory=server.memory, changes=changes)
    assert other.connect().say(b"LOGIN bob@example.test secret").status == b"NO"
    assert changes.listeners == []
    assert server.world.limits._sessions == {}


@pytest.mark.parametrize("ending", ["LOGOUT", "drop", "UNAUTHENTICATE"])
def test_every_end_gives_back_what_the_login_took(server: ImapServer, ending: str) -> None:
    client = server.connect().login()
    assert len(server.changes.listeners) == 1
    client.drop() if ending == "drop" else client.say(ending.encode())
    assert server.changes.listeners == []
    assert server.world.limits._sessions == {}


def change(server: ImapServer, **changes: Any) -> Account:
    """Bob's account is another now, and everybody is told."""
    directory = server.memory.directory
    account: Account = evolve(directory.accounts["bob@example.test"], **changes)
    directory.accounts["bob@example.test"] = account
    server.changes.tell("account", account.id)
    return account


def test_a_changed_account_ends_the_session_before_its_next_command(server: ImapServer) -> None:
    client = server.connect().login()
    change(server, generation=2)
    assert client.send(b"x NOOP\r\n") == b"* BYE Your account was changed, please sign in again\r\n"
    assert client.closed == "account changed"


def test_a_changed_account_ends_IDLE_at_once(server: ImapServer) -> None:
    client = server.connect().login().idle()
    change(server, enabled=False)
    assert client.told().startswith(b"* BYE ")
    assert client.closed == "account changed"


def test_a_notice_that_changed_nothing_ends_nothing(server: ImapServer) -> None:
    client = server.connect().login().idle()
    change(server)
    assert client.told() == b""
    assert client.done().status == b"OK"


def test_UNAUTHENTICATE_leaves_nothing_of_the_login(server: ImapServer) -> None:
    client = server.connect().login()
    client.session.enable("CONDSTORE")
    assert client.say(b"UNAUTHENTICATE").status == b"OK"
    assert client.session.account is None and not client.session.enabled
    assert client.say(b"NAMESPACE").status == b"BAD"
    assert client.login().say(b"NAMESPACE").status == b"OK"


def test_UNAUTHENTICATE_can_be_switched_off() -> None:
    client = ImapServer.make(unauthenticate=False).connect().login()
    assert b"UNAUTHENTICATE" not in client.say(b"CAPABILITY").raw
    assert client.say(b"UNAUTHENTICATE").status == b"BAD"  # RFC 8437 §3
    assert client.say(b"NAMESPACE").status == b"OK"


def test_UNAUTHENTICATE_ends_compression(server: ImapServer) -> None:
    client = server.connect().login()
    assert client.say(b"COMPRESS DEFLATE").status == b"OK"
    assert b"COMPRESS=DEFLATE" not in client.say(b"CAPABILITY").raw
    assert client.say(b"UNAUTHENTICATE").status == b"OK"  # RFC 8437 §4.1
    assert b"COMPRESS=DEFLATE" in client.login().say(b"CAPABILITY").raw
    assert client.say(b"COMPRESS DEFLATE").status == b"OK"


# --- the other commands ---


def test_commands_out_of_their_state_are_BAD(client: ImapClient) -> None:
    for early in (b"NAMESPACE", b"IDLE", b"ENABLE X", b"COMPRESS DEFLATE", b"UNAUTHENTICATE"):
        assert client.say(early).status == b"BAD"
        client.session.errors = 0


def test_ID_tells_our_name_alone_and_notes_theirs_in_bounds(server: ImapServer) -> None:
    client = server.connect()
    answered = client.say(b'ID ("name" "Testmail" "version" "1.0" "os" NIL "odd" {})', b"x" * 1000)
    assert answered.untagged == [b'* ID ("name" "WorldMail")']
    assert server.memory.journal.named("imap.client") == [
        {"session": "s1", "client_name": "Testmail", "client_version": "1.0"}
    ]
    client.say(b'ID ("name" "Another")')
    assert len(server.memory.journal.named("imap.client")) == 1  # a stranger does not fill the log
    assert client.say(b"ID NIL").status == b"OK"
    assert client.say(b"ID ()").status == b"OK"
    for bad in (b"ID", b"ID x", b'ID ("a")', b'ID "a"', b"ID (" + b" ".join([b'"a" NIL'] * 31) + b")"):
        assert client.say(bad).status == b"BAD", bad
        client.session.errors = 0


def test_ENABLE_names_what_it_enabled_and_passes_over_the_rest(server: ImapServer) -> None:
    site: Site = server.sessions.site
    site.enabling = {**site.enabling, "X-ONE": ("X-One", lambda session: session.enable("X-IMPLIED"))}
    client = server.connect().login()
    assert client.say(b"ENABLE x-one X-NONE").untagged == [b"* ENABLED X-One"]
    assert {"X-ONE", "X-IMPLIED"} <= client.session.enabled
    assert client.say(b"ENABLE X-ONE").untagged == [b"* ENABLED"]
    assert client.say(b"ENABLE").status == b"BAD"


def test_NAMESPACE_tells_three(client: ImapClient) -> None:
    assert client.login().say(b"NAMESPACE").untagged == [
        b'* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared Folders/" "/"))'
    ]


def test_IDLE_lasts_until_DONE_and_nothing_else_ends_it_well(client: ImapClient) -> None:
    client.login().idle()
    assert client.done().status == b"OK"
    client.idle()
    assert client.send(b"x NOOP\r\n").startswith(b"a3 BAD ")
    assert not client.session.idling
    assert client.say(b"NOOP").status == b"OK"


def test_LOGOUT_says_BYE_first(client: ImapClient) -> None:
    assert client.say(b"LOGOUT").raw == b"* BYE Goodbye\r\na1 OK LOGOUT completed\r\n"
    assert client.closed == "logout"


def test_COMPRESS_once_and_DEFLATE_only(client: ImapClient) -> None:
    client.login()
    assert client.say(b"COMPRESS LZW").status == b"BAD"
    assert client.say(b"COMPRESS DEFLATE").status == b"OK"
    again = client.say(b"COMPRESS DEFLATE")
    assert (again.status, again.code) == (b"NO", b"COMPRESSIONACTIVE")
    assert b"COMPRESS=DEFLATE" not in names(client)


# --- lines, tags, pipelines ---


def test_how_the_octets_are_cut_changes_nothing() -> None:
    said = talk_in_all_ways(
        ImapServer.make,
        [
            b"1 CAPABILITY\r\n2 NOOP\r\n",
            b"3 LOGIN {16+}\r\nbob@example.test {6+}\r\nsecret\r\n4 NAMESPACE\r\n",
            b"5 IDLE\r\nDONE\r\n6 FOO\r\n",
            b'7 ID ("name" {3+}\r\nx\r\n)\r\n8 UNAUTHENTICATE\r\n',
            b"9 AUTHENTICATE PLAIN\r\n" + PLAIN + b"\r\n10 LOGOUT\r\n",
        ],
    )
    assert [line.split()[1] for line in said.split(b"\r\n") if line[:1].isdigit()] == [
        *(b"OK",) * 5,
        b"BAD",
        *(b"OK",) * 4,
    ]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"", b"* BAD "),
        (b"a", b"a BAD "),
        (b"a ", b"a BAD "),
        (b"+ NOOP", b"* BAD "),
        (b"a+b NOOP", b"* BAD "),
        (b"(a) NOOP", b"* BAD "),
        (b"a  NOOP", b"a BAD "),
        (b"a NONSUCH", b"a BAD "),
        (b"a UID", b"a BAD "),
        (b"a UID NOOP", b"a BAD "),
        (b"a NOOP x", b"a BAD "),
        (b"a noop", b"a OK "),
        (b"]a NoOp ", b"]a OK "),
        (b"\xff NOOP", b"* BAD "),
    ],
)
def test_a_command_has_a_tag_a_word_and_its_arguments(client: ImapClient, line: bytes, answer: bytes) -> None:
    assert client.send(line + b"\r\n").startswith(answer)


@pytest.mark.parametrize("guess", [b"a LOGIN bob@example.test wrong", b"a NONSUCH", b"a LOGIN x", b"a AUTHENTICATE"])
def test_too_many_guesses_end_the_connection_of_a_stranger(guess: bytes) -> None:
    stranger = ImapServer.make(errors_before_login=3, errors=5).connect()
    for _ in range(3):
        assert stranger.closed is None
        answer = stranger.send(guess + b"\r\n")
        if stranger.closed is None:
            stranger.say(b"NOOP")  # which makes none of them good
    assert answer.endswith(b"* BYE Too many errors\r\n")
    assert stranger.closed == "too many errors"


def test_a_stranger_may_ask_for_what_is_not_to_be_had() -> None:
    """A client that looks for a way in guesses nothing: it is bounded by the time that a login may take."""
    stranger = ImapServer.make(errors_before_login=3).connect()
    for _ in range(5):
        assert stranger.send(b"a AUTHENTICATE NONSUCH\r\n").startswith(b"a NO [CANNOT] ")
    assert stranger.closed is None


def test_too_many_lines_in_a_row_that_are_no_command_end_the_connection_of_a_user() -> None:
    known = ImapServer.make(errors_before_login=3, errors=5).connect()
    for _ in range(2):
        known.send(b"a NONSUCH\r\n")
    known.login()
    for _ in range(4):
        known.send(b"a NONSUCH\r\n")
    known.say(b"NOOP")  # begins anew
    for _ in range(5):
        assert known.closed is None
        known.send(b"a NONSUCH\r\n")
    assert known.closed == "too many errors"


def test_who_is_nobody_again_has_made_no_errors_yet() -> None:
    client = ImapServer.make(errors_before_login=3, errors=20).connect().login()
    for _ in range(8):
        client.send(b"a NONSUCH\r\n")
    client.say(b"UNAUTHENTICATE")
    client.send(b"a NONSUCH\r\n")
    assert client.closed is None


def test_the_clock_of_the_login_runs_on_whatever_is_said() -> None:
    server = ImapServer.make(login_timeout=60.0)
    client = server.connect()
    assert client.session.timeout == 60
    server.memory.clock.advance(50)
    client.say(b"NOOP")
    assert client.session.timeout == 10
    client.login()
    assert client.session.timeout == 1800
    client.say(b"UNAUTHENTICATE")
    assert client.session.timeout == 60


def test_every_last_word_is_a_BYE(client: ImapClient) -> None:
    session = client.session
    for words in (session.timed_out(), session.shutting_down(), session.refused("x")):
        [word] = words
        assert isinstance(word, bytes) and word.startswith(b"* BYE ") and word.endswith(b"\r\n")
