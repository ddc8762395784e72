"""A session against a simple model of a maildrop, with other protocols at work on the same mailbox."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from worldmail.testing.feeding import settle

NUMBERS = st.integers(0, 6)


class MaildropMachine(RuleBasedStateMachine):
    """The model: `stored` is the mailbox by UID, `numbers` the session's UIDs and sizes, `marked` what is deleted."""

    def __init__(self, make_server) -> None:
        super().__init__()
        self.make_server = make_server
        self.stored: dict[int, bytes] = {}
        self.ever: set[int] = set()
        self.client = None
        self.numbers: list[tuple[int, int]] = []
        self.texts: dict[int, bytes] = {}
        self.marked: set[int] = set()

    @initialize(count=st.integers(2, 6))
    def server_with_messages(self, count: int) -> None:
        self.server = self.make_server(errors=0, errors_before_login=0)
        for number in range(count):
            self.message_comes(number)
        self.sign_in()

    # --- what others do ---

    @rule(lines=st.integers(0, 4))
    def message_comes(self, lines: int) -> None:
        text = b"A: b\r\n\r\n" + b".line\r\n" * lines
        row = self.server.memory.mailboxes.add(self.server.bob.id, text)
        assert row.uid not in self.ever, "a UID came back"
        self.ever.add(row.uid)
        self.stored[row.uid] = text

    @precondition(lambda self: self.stored)
    @rule(which=NUMBERS)
    def another_protocol_removes(self, which: int) -> None:
        uid = sorted(self.stored)[which % len(self.stored)]
        del self.stored[uid]
        box = self.server.memory.mailboxes.box(self.server.bob.id)
        settle(self.server.memory.mailboxes.expunge(box.id, [uid]))

    # --- the session ---

    @precondition(lambda self: self.client is None)
    @rule()
    def sign_in(self) -> None:
        self.client = self.server.connect().login()
        self.texts = dict(self.stored)
        self.numbers = [(uid, len(text)) for uid, text in sorted(self.stored.items())]
        self.marked = set()

    def _valid(self, number: int) -> bool:
        return 0 < number <= len(self.numbers) and number not in self.marked

    def _say(self, line: bytes) -> bytes:
        return self.client.say(line)

    @precondition(lambda self: self.client)
    @rule()
    def stat_and_lists_agree(self) -> None:
        left = [number for number in range(1, len(self.numbers) + 1) if number not in self.marked]
        _, count, octets = self._say(b"STAT").split()
        listed = [tuple(map(int, line.split())) for line in self._say(b"LIST").split(b"\r\n")[1:-2]]
        assert [number for number, _ in listed] == left and int(count) == len(left)
        assert sum(size for _, size in listed) == int(octets)
        unique = [line.split() for line in self._say(b"UIDL").split(b"\r\n")[1:-2]]
        assert unique == [[b"%d" % number, b"1.%d" % self.numbers[number - 1][0]] for number in left]

    @precondition(lambda self: self.client)
    @rule(number=NUMBERS)
    def list_one(self, number: int) -> None:
        answer = self._say(b"LIST %d" % number)
        assert answer.startswith(b"+OK %d " % number if self._valid(number) else b"-ERR ")

    @precondition(lambda self: self.client)
    @rule(number=NUMBERS, lines=st.none() | st.integers(0, 5))
    def fetch(self, number: int, lines: int | None) -> None:
        answer = self._say(b"RETR %d" % number if lines is None else b"TOP %d %d" % (number, lines))
        uid = self.numbers[number - 1][0] if self._valid(number) else 0
        if uid not in self.stored:
            assert answer.startswith(b"-ERR ")
            return
        wanted = self.texts[uid].split(b"\r\n")[:-1]
        wanted = wanted if lines is None else wanted[: 2 + lines]
        stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in wanted)
        assert answer.partition(b"\r\n")[2] == stuffed + b".\r\n"

    @precondition(lambda self: self.client)
    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        assert self._say(b"DELE %d" % number).startswith(b"+OK" if self._valid(number) else b"-ERR ")
        if self._valid(number):
            self.marked.add(number)
        for command in (b"LIST %d", b"UIDL %d", b"RETR %d", b"TOP %d 0", b"DELE %d"):
            assert self._say(command % number) == b"-ERR No such message\r\n"

    @precondition(lambda self: self.client)
    @rule()
    def reset(self) -> None:
        assert self._say(b"RSET").startswith(b"+OK")
        self.marked.clear()

    @precondition(lambda self: self.client)
    @rule()
    def quit(self) -> None:
        assert self._say(b"QUIT") == b"+OK Goodbye\r\n"
        for number in self.marked:
            self.stored.pop(self.numbers[number - 1][0], None)
        self.client.drop()
        self.client = None

    @precondition(lambda self: self.client)
    @rule()
    def connection_is_lost(self) -> None:
        self.client.drop()
        self.client = None

    @precondition(lambda self: self.client)
    @rule()
    def second_session_is_kept_out(self) -> None:
        other = self.server.connect()
        other.say(b"USER bob@example.test")
        assert other.say(b"PASS secret").startswith(b"-ERR [IN-USE] ")
        other.drop()

    @invariant()
    def the_mailbox_is_what_the_model_says(self) -> None:
        if self.ever or self.stored:
            assert self.server.inbox == [text for _, text in sorted(self.stored.items())]


def test_a_session_does_what_the_model_says(serve) -> None:
    run_state_machine_as_test(
        lambda: MaildropMachine(serve), settings=settings(max_examples=100, stateful_step_count=30, deadline=None)
    )
