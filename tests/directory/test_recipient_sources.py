"""Sources of recipients: the contract on each, and files that are followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from worldmail.config.relay import RelaySettings
from worldmail.config.settings import Settings
from worldmail.directory import recipient_files
from worldmail.directory.recipient_files import SETTLED, FileRecipients
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.plugin import IRecipientSourcePlugin
from worldmail.interfaces.queue import IRecipientSource
from worldmail.mail.address import Address
from worldmail.plugin import find
from worldmail.testing.contracts.recipients import RecipientSourceContract
from worldmail.testing.feeding import settle
from worldmail.testing.recipients import MemoryRecipients
from worldmail.testing.world import ManualClock, MemoryJournal
from worldmail.wire.ready import Ready

TEXT = '# who is there\nBob\n\n"John Doe"@branch.test   # quoted\njosé@BRANCH.test\nnews+daily\nbob\nx@far.example\n'
BOB, EVE = Address.parse("bob@branch.test"), Address.parse("eve@branch.test")


class Files:
    """A source of one file, and time that the test moves."""

    def __init__(self, directory: Path, text: str | None = TEXT) -> None:
        self.path = directory / "recipients"
        self.clock, self.journal = ManualClock(), MemoryJournal()
        self.aside: Callable[[Callable[[], Any]], Any] = lambda work: Ready(work())
        if text is not None:
            self.write(text)
        self.source = self.make()

    def make(self) -> FileRecipients:
        return FileRecipients(self.settings().relay, self.clock, self.journal, lambda work: self.aside(work))

    def settings(self, **files: Path) -> Settings:
        return Settings(relay=RelaySettings(recipient_files=files or {"Branch.test": self.path}))

    def write(self, text: str | bytes, age: float = SETTLED) -> None:
        """Put another file in its place, that was last written so long ago."""
        draft = self.path.with_suffix(".new")
        draft.write_bytes(text.encode() if isinstance(text, str) else text)
        os.utime(draft, (0, self.clock.now() - age))
        draft.replace(self.path)

    def exists(self, who: Address = BOB) -> bool | None:
        return settle(self.source.exists(who))

    def later(self, who: Address = BOB) -> bool | None:
        """What is said after the next look."""
        self.clock.advance(6)
        return self.exists(who)

    def refused_for_now(self) -> str:
        with pytest.raises(TemporaryFailure) as refused:
            self.exists()
        return str(refused.value.reason)


class TestFileRecipients(RecipientSourceContract):
    def furnish(self, directory: Path) -> IRecipientSource:
        return Files(directory).source

    def furnish_broken(self, directory: Path) -> IRecipientSource:
        return Files(directory, text=None).source

    def settings(self, directory: Path) -> Settings:
        return Files(directory, text=None).settings()


class TestMemoryRecipients(RecipientSourceContract):
    def furnish(self, directory: Path) -> IRecipientSource:
        names = ("bob", '"john doe"', "josé", "news+daily")
        return MemoryRecipients(lists={"branch.test": {Address.parse(f"{name}@branch.test").key for name in names}})

    def furnish_broken(self, directory: Path) -> IRecipientSource:
        return MemoryRecipients(lists={"branch.test": set()}, error=TemporaryFailure())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_files_are_a_plugin_like_any_other() -> None:
    assert "files" in [plugin.name for plugin in find(IRecipientSourcePlugin)]


def test_a_changed_file_is_taken_up_with_the_first_mail_after_a_while(files: Files) -> None:
    assert files.exists(EVE) is False
    files.write("eve\n")
    assert files.exists(EVE) is False and files.exists() is True
    assert files.later(EVE) is True and files.exists() is False
    told = files.journal.named("relay.recipients")
    assert [(one["domain"], one["recipients"]) for one in told] == [("branch.test", 4), ("branch.test", 1)]


def test_between_two_looks_no_file_is_touched(files: Files) -> None:
    looks = []
    files.aside = lambda work: looks.append(work) or Ready(work())
    for _ in range(10):
        files.exists()
    assert len(looks) == 1


def test_a_file_that_did_not_change_is_not_read_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.exists()
    monkeypatch.setattr(recipient_files, "read_recipients", lambda *given: pytest.fail("it was read again"))
    assert files.later()


@pytest.mark.parametrize(
    "text",
    [
        b"eve\nnot an address\n",
        b"eve\n@branch.test\n",
        b"eve\n*\n",
        b"eve\n\xff\xfe\n",
        b"",
        b"# nobody\n",
        b"x@far.example\n",
        b"eve\0\n",
        b"eve " * 100_000,
        b"eve@branch.test, bob@branch.test\n",
    ],
)
def test_a_file_that_cannot_be_used_leaves_the_last_list_as_it_was_and_says_so_once(files: Files, text: bytes) -> None:
    assert files.exists()
    files.write(text)
    for _ in range(3):
        assert files.later() is True and files.exists(EVE) is False
    (told,) = files.journal.named("relay.recipients-unusable")
    assert told["level"] == "warn" and told["reason"] and told["recipients"] == 4
    files.write("eve\n")
    assert files.later(EVE) is True


def test_a_file_that_is_gone_leaves_the_last_list_as_it_was(files: Files) -> None:
    assert files.exists()
    files.path.unlink()
    assert files.later() is True and files.exists(EVE) is False
    files.path.mkdir()
    assert files.later() is True
    files.path.rmdir()
    os.mkfifo(files.path)
    assert files.later() is True
    reasons = [one["reason"] for one in files.journal.named("relay.recipients-unusable")]
    assert reasons == ["No such file or directory", "Is a directory", "is not a file"]


@pytest.mark.parametrize("text", [None, "", "bob\nnot an address\n"])
def test_as_long_as_no_list_could_be_read_recipients_are_refused_for_the_time_being(
    tmp_path: Path, text: str | None
) -> None:
    files = Files(tmp_path, text=text)
    assert str(files.path) in files.refused_for_now()
    assert files.journal.named("relay.recipients-unusable")[0]["level"] == "error"
    files.write(TEXT)
    assert files.later() is True


def test_a_file_is_not_read_while_it_is_being_written(files: Files) -> None:
    assert files.exists()
    files.write("eve\n", age=-5)  # in 6 seconds, when it is looked at, it was written 1 second ago
    assert files.later() is True and files.exists(EVE) is False
    os.utime(files.path, (0, files.clock.now() + 5))
    assert files.later() is True and files.exists(EVE) is False
    assert files.later(EVE) is True, "not written to for seconds"


def test_a_file_from_the_future_is_read_all_the_same(tmp_path: Path) -> None:
    files = Files(tmp_path, text=None)
    files.write(TEXT, age=-3600)
    assert files.exists() is True


def test_a_file_that_is_written_to_while_it_is_read_is_read_again(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = recipient_files.read_recipients

    def appended(*given: Any) -> Any:
        found = read(*given)
        with files.path.open("a") as opened:
            opened.write("more\n")
        os.utime(files.path, (0, files.clock.now() - 60))
        return found

    assert files.exists()
    files.write("eve\n")
    monkeypatch.setattr(recipient_files, "read_recipients", appended)
    assert files.later() is True and files.exists(EVE) is False
    monkeypatch.undo()
    assert files.later(EVE) is True


def test_while_it_is_read_others_are_answered_by_the_last_list(files: Files) -> None:
    assert files.exists()
    files.write("eve\n")
    files.clock.advance(6)
    begun: Deferred[None] = Deferred()
    works: list[Callable[[], Any]] = []

    async def slowly(work: Callable[[], Any]) -> Any:
        works.append(work)
        await begun
        return work()

    files.aside = slowly
    first = Deferred.fromCoroutine(files.source.exists(EVE))  # type: ignore[arg-type]  # a coroutine
    assert files.exists() is True and files.exists(EVE) is False and not first.called
    begun.callback(None)
    assert first.result is True and len(works) == 1  # type: ignore[attr-defined]  # it has fired


def test_many_who_wait_for_the_first_list_wait_for_one_look(files: Files) -> None:
    begun: Deferred[None] = Deferred()
    works: list[Callable[[], Any]] = []

    async def slowly(work: Callable[[], Any]) -> Any:
        works.append(work)
        await begun
        return work()

    files.aside = slowly
    waiting = [Deferred.fromCoroutine(files.source.exists(who)) for who in (BOB, EVE, BOB)]  # type: ignore[arg-type]
    begun.callback(None)
    assert [each.result for each in waiting] == [True, False, True]  # type: ignore[attr-defined]
    assert len(works) == 1


def test_whoever_waits_for_a_look_that_fails_is_refused_for_the_time_being(files: Files) -> None:
    def fail(work: Callable[[], Any]) -> Any:
        raise TemporaryFailure(reason="the server stops")

    files.aside = fail
    assert files.refused_for_now() == "the server stops"
    files.aside = lambda work: Ready(work())
    assert files.later() is True


def test_SIGHUP_looks_at_once_and_keeps_what_was_read_of_the_same_file(files: Files) -> None:
    assert files.exists()
    files.write("eve\n")
    files.source.reload(files.settings())
    assert files.exists(EVE) is True
    files.path.unlink()
    files.source.reload(files.settings())
    assert files.exists(EVE) is True


def test_SIGHUP_brings_other_files_and_takes_some_away(files: Files, tmp_path: Path) -> None:
    assert files.exists()
    other = tmp_path / "other"
    other.write_text("eve@other.test\n")
    os.utime(other, (0, 0))
    files.source.reload(files.settings(**{"other.test": other}))
    assert files.exists() is None
    assert files.exists(Address.parse("eve@other.test")) is True
    files.source.reload(files.settings(**{"branch.test": tmp_path / "none"}))
    assert "No such file" in files.refused_for_now()


def test_one_file_may_hold_the_recipients_of_many_domains(files: Files) -> None:
    files.write("bob@branch.test\neve@other.test\nx@bücher.example\n")
    both = {"branch.test": files.path, "other.test": files.path, "bücher.example": files.path}
    files.source.reload(files.settings(**both))
    assert files.exists() is True and files.exists(EVE) is False
    assert files.exists(Address.parse("eve@other.test")) is True
    assert files.exists(Address.parse("x@xn--bcher-kva.example")) is True


@pytest.mark.parametrize("name", ["", "a b", "[192.0.2.1]", "a_b.test", "x@y.test"])
def test_a_file_for_what_is_no_domain_is_refused_in_the_configuration(name: str) -> None:
    with pytest.raises(ValueError, match="the name of a relay domain"):
        RelaySettings(recipient_files={name: Path("x")})
