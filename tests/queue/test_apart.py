"""Servers on one queue without one content store: what one cannot read is left to the one that can."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import frozen

from worldmail.app.checks import Finding
from worldmail.app.ground import contents_mark
from worldmail.cli.check import _check_contents
from worldmail.errors import TemporaryFailure
from worldmail.queue.apart import SAID
from worldmail.testing.outbound import LATER, TAKEN
from worldmail.testing.queue import Node, QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
BOB = "bob@there.test"


def unreadable(node: Node) -> None:
    """The content store of this node has nothing of what is in the queue."""

    async def outgoing(content_id: int) -> Any:
        raise TemporaryFailure(reason="no such file")

    node.acceptance.outgoing = outgoing


def marked(node: Node, mark: str) -> Node:
    node.queue.service._registration.mark = lambda: mark
    return node


def two_nodes() -> tuple[QueueSite, Node, Node]:
    """Both run; the first cannot read what the second accepts, and would be the first to try it again."""
    site = QueueSite.make()
    first = marked(site.node, "one")
    second = marked(site.add_node(), "other")
    unreadable(first)
    first.start()
    second.start()
    site.elsewhere.fates[BOB] = [LATER, TAKEN]
    return site, first, second


def test_what_a_server_cannot_read_goes_back_untried_and_the_one_that_can_sends_it() -> None:
    site, first, _ = two_nodes()
    site.advance(5)
    id_ = site.accept(ALICE, BOB)
    assert site.events(id_) == ["accepted", "deferred"]
    site.advance(600)
    assert [fields["acceptance"] for fields in site.journal.named("queue.left")] == [id_]
    assert site.events(id_) == ["accepted", "deferred", "delivered"] and site.queued() == []
    assert '"attempt":2' in site.details(id_, "delivered")[0]
    runner = first.queue.runner
    assert runner.leases.count == 0 and not runner.leases.known and site.faults() == []


def test_it_is_left_alone_as_long_as_the_other_lives_and_tried_when_that_one_is_gone() -> None:
    site, first, second = two_nodes()
    unreadable(second)
    site.advance(5)
    id_ = site.accept(ALICE, BOB)
    site.accept(ALICE, "carol@there.test")
    site.advance(7200, step=5)
    assert [address for _, address in site.elsewhere.taken] == ["carol@there.test"]
    assert site.events(id_) == ["accepted", "deferred"], "it is not put off again and again"
    assert site.rows("SELECT reply, attempts FROM recipient") == [(SAID, 1)]
    assert len(site.journal.named("queue.left")) == 2
    second.crash()
    site.advance(60)
    assert site.events(id_)[-1] == "deferred" and "no such file" in site.details(id_, "deferred")[-1]
    assert first.queue.runner.leases.count == 0 and site.faults() == []


def test_the_log_says_once_that_servers_have_no_content_store_in_common() -> None:
    site, *_ = two_nodes()
    site.advance(120)
    assert [fields["level"] for fields in site.journal.named("queue.contents-apart")] == ["error", "error"]


def test_servers_with_one_content_store_are_not_apart() -> None:
    site = QueueSite.make()
    for node in (marked(site.node, "one"), marked(site.add_node(), "one"), site.add_node()):
        node.start()
    site.advance(60)
    assert site.journal.named("queue.contents-apart") == []


@frozen
class Data:
    """As much of the settings as is asked for."""

    data: Path
    engine: str = "postgres"
    content: str = "files"

    @property
    def settings(self) -> Any:
        parts = {"database": SimpleNamespace(engine=self.engine), "store": SimpleNamespace(content=self.content)}
        return SimpleNamespace(data=self.data, **parts)


def test_a_directory_of_content_has_a_mark_of_its_own_where_several_machines_may_share_a_database(
    tmp_path: Path,
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert contents_mark(Data(one).settings, make=False) == "" and not (one / "content").exists()
    mark = contents_mark(Data(one).settings)
    assert mark and contents_mark(Data(one).settings) == mark != contents_mark(Data(other).settings)
    assert contents_mark(Data(one, engine="sqlite").settings) == contents_mark(Data(one, content="s3").settings) == ""
    assert contents_mark(Data(tmp_path / "none").settings) == ""
    assert [path.name for path in (one / "content").iterdir()] == ["mark"]


def test_worldmail_check_says_that_servers_have_no_content_store_in_common(tmp_path: Path) -> None:
    site = QueueSite.make()
    settings = Data(tmp_path).settings
    site.node.queue.service._registration.mark = lambda: contents_mark(settings)
    site.start()

    def found(settings: Any) -> list[Finding]:
        return settle(site.base.database.read(lambda cursor: _check_contents(cursor, settings, Finding)))

    assert found(settings) == []
    other = tmp_path / "other"
    other.mkdir()
    (finding,) = found(Data(other).settings)
    assert finding.serious and "S3" in finding.text
    assert found(Data(other, content="s3").settings) == []
