"""`worldmail join`: this server becomes the site of a relay."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_rows
from worldmail.errors import BadValue

if TYPE_CHECKING:
    from worldmail.app.joining import Done
    from worldmail.interfaces.outbound import Trouble
    from worldmail.interfaces.pairs import Pair


@click.command()
@click.argument("code", nargs=-1)
@click.option("--name", metavar="NAME", default="", help="What the relay is called here (default: its host's name).")
@click.option("--no-route", is_flag=True, help="Leave the way of outgoing mail as it is.")
@click.option("--list", "listed", is_flag=True, help="List the relays that were joined.")
@click.option("--leave", metavar="NAME", default="", help="End it with this relay: nothing is fetched or sent there.")
@json_option
@click.pass_context
def join(
    ctx: click.Context, code: tuple[str, ...], name: str, no_route: bool, listed: bool, leave: str, as_json: bool
) -> None:
    """Join a relay by the CODE that `worldmail relay invite` printed there.

    Mail for this site then waits at the relay and is fetched over a connection from here: no port need be open to the
    world. Mail of this site leaves by the relay, unless a route takes all of it already.

    For "-" the code is read from standard input, where no list of processes shows it.
    """
    if bool(code) + listed + bool(leave) != 1:
        raise click.UsageError("give the code, or --list, or --leave NAME")
    if listed:
        _list(ctx, as_json)
    elif leave:
        from worldmail.cli.running import run

        gone = run(configuration(ctx), lambda parts: parts.joining.leave(leave))
        sentence = f"left {gone.name}: its agent and its route are gone; tell the relay, which still holds mail for us"
        show_done(as_json, sentence, left=gone.name)
    else:
        text = sys.stdin.readline().strip() if code == ("-",) else "".join(code)
        _join(ctx, text, name, not no_route, as_json)


def _join(ctx: click.Context, text: str, name: str, routed: bool, as_json: bool) -> None:
    from twisted.internet import reactor as _  # noqa: F401  # speaking to the relay takes a whole reactor

    from worldmail.app.joining import dns_lines
    from worldmail.cli.running import Parts, run
    from worldmail.interfaces.outbound import HopFailed
    from worldmail.ondemand.join_code import read_code

    code = read_code(text)

    async def work(parts: Parts) -> Done:
        try:
            return await parts.joining.join(code, name, routed)
        except HopFailed as failed:
            raise BadValue(_refused(failed.trouble)) from None

    done = run(configuration(ctx), work)
    fields: dict[str, Any] = {
        **_fields(done.pair),
        "added": list(done.added),
        "route": done.route or None,
        "dns": list(dns_lines(done)),
        "running": done.served,
    }
    lines = _told(done, fields["dns"])
    if not done.served:
        start = f"twistd -n --pidfile= worldmail --config {configuration(ctx)}"
        lines.append(f"No server runs here: start it, and what waits there is fetched: {start}")
    show_done(as_json, "\n".join(lines), **fields)


def _refused(trouble: Trouble) -> str:
    from worldmail.interfaces.outbound import NOT_PINNED, Fate

    said = None if trouble.reply is None else str(trouble.reply)
    words = f"{trouble.server}: {': '.join(filter(None, (trouble.reason, said)))}"
    if trouble.fate is Fate.FAILED:
        return f"{words}. Codes are good once and for some days, and only the last one: ask there for another"
    if NOT_PINNED in words:
        return f"{words}, so it was not told the code. If its key was changed: ask there for another code"
    return f"{words}. The same command goes on with it"


def _told(done: Done, dns: list[str]) -> list[str]:
    pair = done.pair
    lines = [f"joined {pair.name}, which holds mail for {', '.join(pair.domains) or 'no domain yet'}"]
    lines += [f"added the domain {name}" for name in done.added]
    lines += [f"{words}: what is fetched for it is handed on" for words in done.elsewhere]
    lines.append(f"the agent {pair.name} fetches it: worldmail agent list")
    if done.route:
        lines.append(f"mail to others leaves by the relay, by the route {done.route}")
    elif not pair.submission:
        lines.append("the relay takes no mail of ours for others: it leaves as before")
    elif done.before:
        lines.append(
            f"mail to others leaves by the route {done.before} as before; for the relay to send it, remove or change"
            " that route and join again with another code"
        )
    else:
        lines.append("mail to others leaves as before")
    if done.again:
        lines.append("what else was set for agent and route is as it was")
    lines += [f"it is off: worldmail {what} set {pair.name} enabled=on" for what in done.off]
    lines += ["", "Let these be published in the DNS:", *(f"  {line}" for line in dns), ""]
    lines.append("Then add who is to have mail: worldmail user add ADDRESS. The relay refuses mail for all others.")
    return lines


def _list(ctx: click.Context, as_json: bool) -> None:
    from worldmail.cli.running import Parts, run

    async def look(parts: Parts) -> list[dict[str, Any]]:
        refused = await parts.joining.refused()
        rows = []
        for one in await parts.joining.relays():
            key = _key(one, as_json, one.name in refused)
            rows.append({**_fields(one), "renews": one.renews, "renewed": one.renewed or None, "key": key})
        return rows

    rows = run(configuration(ctx), look)
    show_rows(as_json, ("name", "host", "domains", "account", "key"), rows)


def _key(one: Pair, as_json: bool, refused: bool) -> str:
    """What is to be known of the relay's key: "refused", "renewed" or "pinned" in JSON, else in words."""
    if as_json:
        return "refused" if refused else "renewed" if one.renewed else "pinned"
    if refused:
        return (
            "CHANGED, so nothing is fetched; what is ours waits. Ask there for a new code (worldmail relay invite),"
            f" then: worldmail join CODE --name {one.name}"
        )
    if one.renewed:
        return f"renewed {time.strftime('%Y-%m-%d %H:%M', time.localtime(one.renewed))}"
    return "pinned, follows its certificate" if one.renews else "pinned"


def _fields(one: Pair) -> dict[str, Any]:
    return {
        "name": one.name,
        "host": one.host,
        "domains": list(one.domains),
        "account": one.account,
        "joined": one.joined,
        "port": one.port,
        "submission": one.submission or None,
    }
