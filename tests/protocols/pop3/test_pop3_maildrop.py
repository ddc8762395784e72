"""The snapshot of a session: what others do meanwhile, when messages are removed, who holds the lock."""

from __future__ import annotations

import pytest
from attrs import evolve
from zope.interface.verify import verifyObject

from worldmail.errors import (
    AuthenticationDelayed,
    NotPermitted,
    Refusal,
    StorageFull,
    TemporaryFailure,
    TooManyRequests,
)
from worldmail.interfaces.protocol import ISuccessor
from worldmail.protocols.pop3.sessions import Sessions, make_site
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.testing.feeding import settle
from worldmail.testing.memory_store import MemoryMailboxes
from worldmail.wire.effects import Stream

MESSAGES = tuple(b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * number) for number in range(1, 6))


def sizes(*numbers: int) -> int:
    return sum(len(MESSAGES[number - 1]) for number in numbers)


def test_a_message_that_comes_meanwhile_does_not_disturb(serve) -> None:
    server = serve(*MESSAGES[:2])
    client = server.connect().login()
    server.memory.mailboxes.add(server.bob.id, b"new\r\n")
    assert client.say(b"STAT") == b"+OK 2 %d\r\n" % sizes(1, 2)
    assert client.say(b"LIST").count(b"\r\n") == 4
    assert client.say(b"RETR 3") == b"-ERR No such message\r\n"
    client.say(b"DELE 1")
    client.say(b"DELE 2")
    assert client.say(b"QUIT") == b"+OK Goodbye\r\n"
    assert server.inbox == [b"new\r\n"]


@pytest.mark.parametrize("gone", [(1,), (2, 4), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("stat_first", [True, False])
def test_what_vanished_before_the_list_was_read_keeps_number_and_unique_id_but_has_no_text(
    serve, gone: tuple[int, ...], stat_first: bool
) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    drop_listing = b"+OK 5 %d\r\n" % sizes(1, 2, 3, 4, 5)
    if stat_first:
        assert client.say(b"STAT") == drop_listing
    mailbox = server.memory.mailboxes.box(server.bob.id)
    settle(server.memory.mailboxes.expunge(mailbox.id, gone))
    listed = client.say(b"LIST").split(b"\r\n")[1:-2]
    assert [int(line.split()[0]) for line in listed] == [1, 2, 3, 4, 5]
    assert sum(int(line.split()[1]) for line in listed) == sizes(1, 2, 3, 4, 5)
    assert client.say(b"STAT") == drop_listing
    assert client.say(b"UIDL") == b"+OK\r\n1 1.1\r\n2 1.2\r\n3 1.3\r\n4 1.4\r\n5 1.5\r\n.\r\n"
    for number in range(1, 6):
        answer = client.say(b"RETR %d" % number)
        if number in gone:
            assert answer == b"-ERR This message was removed meanwhile\r\n"
        else:
            assert answer.endswith(MESSAGES[number - 1] + b".\r\n")
    for number in range(1, 6):
        assert client.say(b"DELE %d" % number).startswith(b"+OK")
    assert client.say(b"STAT") == b"+OK 0 0\r\n"
    assert client.say(b"QUIT") == b"+OK Goodbye\r\n"
    assert server.inbox == []


def test_STAT_follows_the_list_where_nothing_tells_what_vanished(serve) -> None:
    server = serve(*MESSAGES[:3])
    client = server.connect().login()
    mailbox = server.memory.mailboxes.box(server.bob.id)
    settle(server.memory.mailboxes.expunge(mailbox.id, [2]))
    mailbox.expunged.clear()
    assert client.say(b"LIST") == b"+OK 2 messages (%d octets)\r\n1 %d\r\n2 %d\r\n.\r\n" % (
        sizes(1, 3),
        sizes(1),
        sizes(3),
    )
    assert client.say(b"STAT") == b"+OK 2 %d\r\n" % sizes(1, 3)
    assert client.say(b"UIDL 2") == b"+OK 2 1.3\r\n"


def test_nothing_is_removed_before_QUIT_and_all_that_is_marked_then(serve) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    for number in (1, 3, 5):
        client.say(b"DELE %d" % number)
    assert server.inbox == list(MESSAGES)
    client.say(b"QUIT")
    assert server.inbox == [MESSAGES[1], MESSAGES[3]]


@pytest.mark.parametrize("end", ["drop", "timeout", "shutdown", "errors"])
def test_an_end_without_QUIT_removes_nothing_and_frees_the_maildrop(serve, end: str) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    client.say(b"DELE 1")
    if end == "timeout":
        assert client.session.timed_out() == ()
    elif end == "shutdown":
        (words,) = client.session.shutting_down()
        assert words.startswith(b"-ERR [SYS/TEMP] ")
    elif end == "errors":
        for _ in range(20):
            client.say(b"?")
    client.drop()
    assert server.inbox == list(MESSAGES)
    assert server.connect().login().say(b"STAT").startswith(b"+OK 5 ")


def test_QUIT_before_login_says_goodbye(serve) -> None:
    client = serve().connect()
    assert client.say(b"QUIT") == b"+OK Goodbye\r\n"
    assert client.closed == "quit"


def test_a_second_session_finds_the_maildrop_in_use_until_QUIT_is_answered(serve) -> None:
    server = serve(*MESSAGES)
    first, second = server.connect().login(), server.connect()
    second.say(b"USER bob@example.test")
    assert second.say(b"PASS secret") == b"-ERR [IN-USE] Mailbox is in use by another session\r\n"
    first.say(b"QUIT")
    second.say(b"USER bob@example.test")
    assert second.say(b"PASS secret").startswith(b"+OK Maildrop")


@pytest.mark.parametrize("error", [TemporaryFailure(), StorageFull()])
def test_QUIT_says_so_when_the_messages_could_not_be_removed(serve, error: Refusal) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    client.say(b"DELE 1")
    server.memory.mailboxes.fail = error
    assert client.say(b"QUIT") == b"-ERR [SYS/TEMP] Some deleted messages were not removed\r\n"
    assert client.closed == "quit"
    assert server.inbox == list(MESSAGES)
    assert server.memory.mailboxes.lock_maildrop(server.bob.id) is not None


def test_a_check_of_an_unchanged_mailbox_asks_the_store_once(serve, monkeypatch) -> None:
    server = serve(*MESSAGES)
    asked: list[str] = []

    def watch(name: str) -> None:
        original = getattr(MemoryMailboxes, name)

        def spy(*arguments):
            asked.append(name)
            return original(*arguments)

        monkeypatch.setattr(MemoryMailboxes, name, spy)

    for name in ("status", "messages", "expunged_since", "expunge", "content"):
        watch(name)
    client = server.connect().login()
    for command in (b"STAT", b"NOOP", b"QUIT"):
        client.say(command)
    assert asked == ["status"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthenticationDelayed(), b"[SYS/TEMP]"),
        (TemporaryFailure(), b"[SYS/TEMP]"),
        (TooManyRequests(), b"[SYS/TEMP]"),
        (NotPermitted(), b"[SYS/PERM]"),
    ],
)
def test_a_refused_login_says_of_which_kind_the_refusal_is(serve, error: Refusal, code: bytes) -> None:
    server = serve()
    server.memory.authentication.fail = error
    client = server.connect()
    client.say(b"USER bob@example.test")
    assert client.say(b"PASS secret").startswith(b"-ERR " + code + b" ")


def test_a_store_that_fails_at_login_leaves_the_maildrop_free(serve) -> None:
    server = serve()
    server.memory.mailboxes.fail = TemporaryFailure()
    client = server.connect()
    client.say(b"USER bob@example.test")
    assert client.say(b"PASS secret").startswith(b"-ERR [SYS/TEMP] ")
    assert not server.memory.mailboxes.locked and not server.changes.listeners


def test_a_store_that_fails_later_is_a_temporary_error_of_that_command(serve) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    server.memory.mailboxes.fail = TemporaryFailure()
    assert client.say(b"RETR 1").startswith(b"-ERR [SYS/TEMP] ")
    server.memory.mailboxes.fail = None
    assert client.say(b"RETR 1").startswith(b"+OK ")


def test_a_login_before_its_time_is_refused_and_later_taken(serve) -> None:
    server = serve(login_delay=300.0)
    server.connect().login().say(b"QUIT")
    client = server.connect()
    client.say(b"USER bob@example.test")
    assert client.say(b"PASS secret") == b"-ERR [LOGIN-DELAY] Minimum time between logins has not passed\r\n"
    server.memory.clock.advance(301)
    server.connect().login()


def test_the_delay_lasts_over_new_settings_and_goes_by_them(serve) -> None:
    server = serve(login_delay=300.0)
    connected_before = server.connect()
    server.connect().login().say(b"QUIT")
    renewed = Sessions(make_site(server.world, Pop3Settings(login_delay=600.0)))
    verifyObject(ISuccessor, renewed)
    renewed.succeed(server.sessions)
    server.sessions = renewed
    server.memory.clock.advance(301)
    client = server.connect()
    client.say(b"USER bob@example.test")
    assert client.say(b"PASS secret").startswith(b"-ERR [LOGIN-DELAY]")
    connected_before.login().say(b"QUIT")
    server.memory.clock.advance(599)
    client.say(b"USER bob@example.test")
    assert client.say(b"PASS secret").startswith(b"-ERR [LOGIN-DELAY]")
    server.memory.clock.advance(1)
    server.connect().login()


def test_a_refused_login_does_not_begin_the_delay_anew(serve) -> None:
    server = serve(login_delay=300.0)
    server.connect().login().say(b"QUIT")
    for _ in range(3):
        client = server.connect()
        server.memory.clock.advance(99)
        client.say(b"USER bob@example.test")
        client.say(b"PASS secret")
        client.drop()
    server.memory.clock.advance(4)
    server.connect().login()


@pytest.mark.parametrize("change", [{"generation": 2}, {"id": 7}], ids=["a new password", "a new account of the name"])
def test_a_changed_password_or_owner_ends_the_session_before_its_next_command(serve, change) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    client.say(b"DELE 1")
    server.memory.directory.accounts["bob@example.test"] = evolve(server.bob, **change)
    server.changes.tell("account", server.bob.id)
    assert client.say(b"QUIT").startswith(b"-ERR [SYS/TEMP] Your account was changed")
    assert client.closed == "account changed"
    assert server.inbox == list(MESSAGES)


def test_a_change_that_leaves_the_account_as_it_was_does_not_end_the_session(serve) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    server.changes.tell("account", server.bob.id)
    server.changes.tell("account", 0)
    assert client.say(b"STAT").startswith(b"+OK 5 ")


def test_a_removed_account_ends_the_session(serve) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    server.memory.directory.accounts.clear()
    server.changes.tell("account", server.bob.id)
    assert client.say(b"STAT").startswith(b"-ERR ")
    assert client.closed == "account changed"


def test_a_session_that_is_over_listens_to_no_changes(serve) -> None:
    server = serve()
    client = server.connect().login()
    assert len(server.changes.listeners) == 1
    client.drop()
    assert server.changes.listeners == []


def test_what_was_fetched_and_removed_is_recorded_and_a_mere_check_is_not(serve) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    for command in (b"RETR 1", b"DELE 1", b"QUIT"):
        client.say(command)
    check = server.connect().login()
    check.say(b"STAT")
    check.say(b"QUIT")
    assert server.memory.journal.named("pop3.fetched") == [
        {"session": "s1", "account": "bob@example.test", "retrieved": 1, "removed": 1}
    ]


def test_a_big_maildrop_is_listed_in_slices(serve) -> None:
    server = serve(*[b"x\r\n"] * 4100)
    client = server.connect().login()
    effects = settle(client.session.handle(b"LIST"))
    assert effects[0] == b"+OK 4100 messages (12300 octets)\r\n"
    assert isinstance(effects[1], Stream)
    listed = client.say(b"UIDL").split(b"\r\n")
    assert listed[1:-2] == [b"%d 1.%d" % (number, number) for number in range(1, 4101)]
    assert listed[-2:] == [b".", b""]


def test_the_time_until_login_is_bounded_as_a_whole_and_silence_after_it_by_ten_minutes(serve) -> None:
    server = serve()
    client = server.connect()
    assert client.session.timeout == 60
    server.memory.clock.advance(45)
    client.say(b"CAPA")
    assert client.session.timeout == 15
    client.login()
    server.memory.clock.advance(45)
    assert client.session.timeout == 600


def test_an_account_that_cannot_be_looked_at_now_is_looked_at_before_the_next_command(serve, monkeypatch) -> None:
    server = serve(*MESSAGES)
    client = server.connect().login()
    directory = server.memory.directory

    def away(address: object) -> None:
        raise TemporaryFailure

    with monkeypatch.context() as patch:
        patch.setattr(type(directory), "account", lambda self, address: away(address))
        server.changes.tell("account", server.bob.id)
        assert client.say(b"STAT").startswith(b"-ERR [SYS/TEMP]")
    directory.accounts.clear()
    assert client.say(b"STAT").startswith(b"-ERR [SYS/TEMP] Your account was changed")


@pytest.mark.parametrize("state", [{"enabled": False}, {"generation": 2}])
def test_an_account_that_changed_after_it_was_verified_is_not_let_in(serve, state) -> None:
    server = serve(*MESSAGES)
    client = server.connect()
    client.say(b"USER bob@example.test")
    server.memory.directory.accounts["bob@example.test"] = evolve(server.bob, **state)
    assert client.say(b"PASS secret").startswith(b"-ERR [SYS/TEMP] Your account was changed")
    assert not server.changes.listeners
    assert server.memory.mailboxes.lock_maildrop(server.bob.id) is not None


def test_a_change_told_during_a_login_that_is_refused_leaves_the_connection_usable(serve) -> None:
    server = serve(*MESSAGES)
    client = server.connect()
    client.session.account_changed(None)
    assert client.say(b"CAPA").startswith(b"+OK")
    client.login()


def test_an_account_has_so_many_sessions_and_no_more(serve) -> None:
    server = serve(*MESSAGES)
    limits = server.world.limits
    limits.accounts = 1
    assert limits.sign_in(server.bob.id, "127.0.0.1")
    client = server.connect()
    client.say(b"USER bob@example.test")
    assert client.say(b"PASS secret").startswith(b"-ERR [SYS/TEMP] Too many sessions")
    limits.sign_out(server.bob.id)
    client.login()
    assert not limits.sign_in(server.bob.id, "127.0.0.1")
    client.say(b"QUIT")
    client.drop()
    server.connect().login().drop()
    assert limits.sign_in(server.bob.id, "127.0.0.1")


def test_a_session_that_the_server_ends_gives_the_maildrop_back_before_the_client_hangs_up(serve) -> None:
    server = serve(*MESSAGES, errors=2)
    ended = [server.connect().login()]
    ended[-1].say(b"WHAT")
    assert ended[-1].say(b"WHAT").startswith(b"-ERR")
    ended.append(server.connect().login())
    assert ended[-1].say(b"NOOP", b"\n").startswith(b"-ERR")
    ended.append(server.connect().login())
    server.memory.directory.accounts["bob@example.test"] = evolve(server.bob, generation=2)
    server.changes.tell("account", server.bob.id)
    ended[-1].say(b"NOOP")
    assert all(client.closed for client in ended)
    assert server.memory.mailboxes.lock_maildrop(server.bob.id) is not None
