"""`worldmail queue list|show|destinations|counters|retry|hold|release|remove|redirect|export`."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields, show_rows
from worldmail.errors import Refusal
from worldmail.interfaces.queue import IQueueAdmin, QueuedMessage, QueuedRecipient, Selection, Standing
from worldmail.mail.address import Address

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

STATES = {"waiting": Standing.WAITING, "held": Standing.HELD, "leased": Standing.LEASED}
REPLIES = {"2xx": "2", "4xx": "4", "5xx": "5", "none": "x"}


@click.group()
def queue() -> None:
    """The messages that wait to be sent on: seen and steered."""


def selecting(command: F) -> F:
    """The options that say which recipients are meant."""
    for option in reversed(
        (
            click.argument("id", required=False),
            click.option("--recipient", metavar="ADDRESS", help="Those for this address."),
            click.option("--sender", metavar="ADDRESS", help='Those of this sender; "<>" for reports.'),
            click.option("--domain", help="Those for addresses in this domain."),
            click.option("--destination", metavar="KEY", help="Those of destinations whose key begins with this."),
            click.option("--route", metavar="NAME", help="Those that take this route, or are held in this queue."),
            click.option("--state", type=click.Choice(list(STATES)), help="Those in this state."),
        )
    ):
        command = option(command)
    return command


def changing(command: F) -> F:
    """Those options, for what changes something: without any, `--all` must be said."""
    return selecting(click.option("--all", "everything", is_flag=True, help="All of the queue.")(command))


def _selection(words: dict[str, Any]) -> Selection:
    for name, value in words.items():
        if value == "":  # of a variable that is not set, most often: no reason to mean everything
            raise click.UsageError(f"{name}: nothing is said behind it")
    if "@" in (words["id"] or ""):
        raise click.UsageError(f"{words['id']} is no id: an address goes behind --recipient or --sender")
    state = words.pop("state")
    return Selection(standing=None if state is None else STATES[state], **words)


def _chosen(words: dict[str, Any]) -> Selection:
    """A selection that means something, or everything if that was said."""
    everything = words.pop("everything")
    if not everything and all(value is None for value in words.values()):
        raise click.UsageError("which ones? Give an id or an option such as --domain, or --all")
    return _selection(words)


def _work(ctx: click.Context, job: Callable[[IQueueAdmin], Awaitable[T]]) -> T:
    from worldmail.cli.running import Parts, run

    async def work(parts: Parts) -> T:
        async with parts.steering() as admin:
            return await job(admin)

    return run(configuration(ctx), work)


def _change(ctx: click.Context, selection: Selection, job: Callable[[IQueueAdmin], Awaitable[int]]) -> int:
    """How many recipients were changed. That a message is not there is said, where it was named."""

    async def work(admin: IQueueAdmin) -> int:
        count = await job(admin)
        if not count and selection.id is not None and not await admin.messages(Selection(id=selection.id), 1):
            raise _not_there(selection.id)
        return count

    return _work(ctx, work)


def _not_there(id: str) -> click.ClickException:
    return click.ClickException(f"there is no message {id} in the queue (worldmail trace {id} tells what became of it)")


@queue.command("list")
@selecting
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Messages at most.")
@json_option
@click.pass_context
def list_(ctx: click.Context, /, limit: int, as_json: bool, **words: Any) -> None:
    """List queued messages, the oldest first, a line for each recipient."""
    selection = _selection(words)
    found = _work(ctx, lambda admin: admin.messages(selection, limit))
    rows = [_row(message, recipient, as_json) for message in found for recipient in message.recipients]
    show_rows(as_json, ("id", "accepted", "from", "to", "state", "attempts", "next", "said"), rows)


@queue.command()
@click.argument("id")
@json_option
@click.pass_context
def show(ctx: click.Context, id: str, as_json: bool) -> None:
    """Show one message and where each of its recipients stands."""
    found = _work(ctx, lambda admin: admin.messages(Selection(id=id), 1))
    if not found:
        raise _not_there(id)
    (message,) = found
    fields = {
        "id": message.id,
        "from": message.sender or "<>",
        "size": message.size,
        "accepted": _moment(message.accepted),
        "priority": message.priority,
    }
    rows = [_row(message, recipient, as_json) for recipient in message.recipients]
    if as_json:
        show_fields(True, {**fields, "recipients": rows})
        return
    show_fields(False, fields)
    click.echo()
    show_rows(False, ("to", "state", "destination", "attempts", "next", "expires", "said"), rows)


@queue.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Destinations at most.")
@json_option
@click.pass_context
def destinations(ctx: click.Context, limit: int, as_json: bool) -> None:
    """List the destinations that mail waits for, those with the most first."""
    found = _work(ctx, lambda admin: admin.destinations(limit))
    rows = [
        {
            "destination": one.key,
            "waiting": one.waiting,
            "held": one.held,
            "leased": one.leased,
            "oldest": _moment(one.oldest),
            "rests_until": _moment(one.until) if one.until > time.time() else None,
            "failures": one.failures,
            "said": one.reply,
            "attempts": one.attempts,
            "replies": _replies(one.replies),
        }
        for one in found
    ]
    show_rows(as_json, ("destination", "waiting", "held", "leased", "oldest", "rests_until", "failures", "said"), rows)


@queue.command()
@json_option
@click.pass_context
def counters(ctx: click.Context, as_json: bool) -> None:
    """Show the queue in figures."""
    found = _work(ctx, lambda admin: admin.counters())
    standing = {name: found.recipients.get(state, 0) for name, state in STATES.items()}
    replies = _replies(found.replies)
    fields: dict[str, Any] = {"messages": found.messages, "octets": found.octets}
    fields["oldest"] = _moment(found.oldest) if found.oldest else None
    fields["untold"] = found.untold
    if as_json:
        by_destination = {key: _replies(counts) for key, counts in found.destinations.items()}
        show_fields(
            True, {**fields, "recipients": standing, "replies": replies, "replies_by_destination": by_destination}
        )
        return
    fields.update({f"recipients {name}": count for name, count in standing.items()})
    fields.update({f"replies {name}": count for name, count in replies.items()})
    show_fields(False, fields)


@queue.command()
@changing
@json_option
@click.pass_context
def retry(ctx: click.Context, /, as_json: bool, **words: Any) -> None:
    """Try again now, also where a destination rests."""
    selection = _chosen(words)
    _say(as_json, "to be tried now", _change(ctx, selection, lambda admin: admin.retry(selection)))


@queue.command()
@changing
@json_option
@click.pass_context
def hold(ctx: click.Context, /, as_json: bool, **words: Any) -> None:
    """Hold back until released; that time does not count for the message's end."""
    selection = _chosen(words)
    _say(as_json, "held", _change(ctx, selection, lambda admin: admin.hold(selection)))


@queue.command()
@changing
@json_option
@click.pass_context
def release(ctx: click.Context, /, as_json: bool, **words: Any) -> None:
    """Let go on what is held."""
    selection = _chosen(words)
    _say(as_json, "released", _change(ctx, selection, lambda admin: admin.release(selection)))


@queue.command()
@changing
@click.option("--report", is_flag=True, help="Tell the senders, as of a failure.")
@json_option
@click.pass_context
def remove(ctx: click.Context, /, report: bool, as_json: bool, **words: Any) -> None:
    """Remove from the queue; senders are not told unless that is asked for."""
    selection = _chosen(words)
    _say(as_json, "removed", _change(ctx, selection, lambda admin: admin.remove(selection, report)))


@queue.command()
@changing
@click.option("--to", "target", required=True, metavar="ADDRESS", help="The address to send to instead.")
@json_option
@click.pass_context
def redirect(ctx: click.Context, /, target: str, as_json: bool, **words: Any) -> None:
    """Send to another address instead."""
    selection = _chosen(words)
    try:
        address = Address.parse(target)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from None
    if not address.domain:
        raise click.BadParameter("the address needs a domain", param_hint="--to")

    async def work(admin: IQueueAdmin) -> int:
        try:
            return await admin.redirect(selection, address)
        except Refusal as refusal:
            raise click.ClickException(f"{address}: {refusal.text}") from None

    _say(as_json, "redirected", _change(ctx, selection, work))


@queue.command()
@click.argument("id")
@click.pass_context
def export(ctx: click.Context, id: str) -> None:
    """Write a queued message to standard output, as it is."""
    _work(ctx, lambda admin: admin.export(id, _write))
    sys.stdout.buffer.flush()


def _write(octets: bytes) -> None:
    sys.stdout.buffer.write(octets)


def _replies(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(key, 0) for name, key in REPLIES.items()}


def _say(as_json: bool, what: str, count: int) -> None:
    show_done(as_json, f"{count} recipient{'' if count == 1 else 's'} {what}", recipients=count)


def _row(message: QueuedMessage, recipient: QueuedRecipient, as_json: bool) -> dict[str, Any]:
    names = {state: name for name, state in STATES.items()}
    waiting = recipient.standing is Standing.WAITING
    row: dict[str, Any] = {
        "id": message.id,
        "accepted": _moment(message.accepted),
        "from": message.sender or "<>",
        "to": recipient.address,
        "state": names[recipient.standing],
        "destination": recipient.destination,
        "attempts": recipient.attempts,
        "next": _moment(recipient.due) if waiting else None,
        "expires": _moment(recipient.expires) if recipient.expires else None,
        "said": recipient.reply,
    }
    if as_json:
        row["size"] = message.size
    return row


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
