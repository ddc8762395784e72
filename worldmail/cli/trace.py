"""`worldmail trace ID|ADDRESS|MESSAGE-ID`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_rows
from worldmail.interfaces.queue import QueuedRecipient, Selection
from worldmail.interfaces.store import TraceRecord

if TYPE_CHECKING:
    from worldmail.cli.running import Parts
    from worldmail.cli.telling import Story

LATEST = 100
"""Messages that are told of if nothing else is said."""

PARTS = 100
"""Entries of one message in the queue: what it stood for here comes in anew when it is its turn."""

LOOKS = 5
"""Times that the trace is read at most, so that what it says and what waits belong together."""

MOST = 10_000
"""Messages that machines are told of if nothing else is said."""


@click.command()
@click.argument("key", metavar="ID|ADDRESS|MESSAGE-ID")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    help=f"The latest messages, so many at most.  [default: {LATEST}; with --json {MOST}]",
)
@json_option
@click.pass_context
def trace(ctx: click.Context, key: str, limit: int | None, as_json: bool) -> None:
    """What happened to a message: by acceptance id, address of its envelope or of its account, or Message-ID."""
    from worldmail.cli.running import run

    most = limit or (MOST if as_json else LATEST)
    if as_json:
        found = run(configuration(ctx), lambda parts: parts.trace.find(key, most))
        _refuse_nothing(found, key)
        show_rows(True, (), [_row(record) for record in found])
        return
    _tell(ctx, key, most)


def _tell(ctx: click.Context, key: str, most: int) -> None:
    """For people: a paragraph for each message."""
    from worldmail.cli.running import run
    from worldmail.cli.telling import stories, told

    async def look(parts: Parts) -> list[tuple[Story, Sequence[QueuedRecipient]]]:
        records = await parts.trace.find(key, most)
        for _ in range(LOOKS):
            found = stories(records)
            waiting = await _waiting(parts, found)
            seen, records = (
                records,
                await parts.trace.find(key, most) if any(story.queued for story in found) else records,
            )
            if records == seen:
                break
        return list(zip(found, waiting, strict=True))

    found = run(configuration(ctx), look)
    _refuse_nothing(found, key)
    for number, (story, waiting) in enumerate(found):
        if number:
            click.echo()
        for line in told(story, waiting, time.time()):
            click.echo(line)
    messages = sum(story.about is None for story, _ in found)
    if messages >= most:
        click.echo(f"worldmail: these are the latest {messages} messages; --limit gives more", err=True)


async def _waiting(parts: Parts, found: Sequence[Story]) -> list[Sequence[QueuedRecipient]]:
    """Of each message those of its recipients that are in the queue."""
    if not any(story.queued for story in found):
        return [()] * len(found)
    waiting: list[Sequence[QueuedRecipient]] = []
    async with parts.steering() as admin:
        for story in found:
            messages = await admin.messages(Selection(id=story.acceptance), PARTS) if story.queued else []
            waiting.append([recipient for message in messages for recipient in message.recipients])
    return waiting


def _refuse_nothing(found: Sequence[object], key: str) -> None:
    if not found:
        raise click.ClickException(f"nothing is known of {key}")


def _row(record: TraceRecord) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.at))
    return {"at": at, "acceptance": record.acceptance, "event": record.event, "detail": json.loads(record.detail)}
