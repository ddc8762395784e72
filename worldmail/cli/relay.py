"""`worldmail relay invite|invites|revoke|list|show|remove`: sites whose mail waits here until they fetch it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_fields, show_rows
from worldmail.cli.values import read_duration

if TYPE_CHECKING:
    from worldmail.cli.running import Parts
    from worldmail.interfaces.pairs import Pair

_INVITED = """{domains}: give the site this code, which is good for one use until {until}:

  worldmail join {code}

Until then it is a password: send it by a way that nobody reads along."""


@click.group()
def relay() -> None:
    """Sites that have this server as their relay: it holds their mail, and sends what they send."""


@relay.command()
@click.argument("domain", nargs=-1, required=True)
@click.option("--account", metavar="ADDRESS", default="", help="What the site signs in as (default: DOMAIN@ours).")
@click.option("--hold", metavar="NAME", default="", help="The hold that its mail waits in (default: as DOMAIN begins).")
@click.option("--host", metavar="NAME", default="", help="What the site reaches this server by (default: its name).")
@click.option("--expires", metavar="TIME", default="7d", help="How long the code is good (default: 7d).")
@json_option
@click.pass_context
def invite(
    ctx: click.Context, domain: tuple[str, ...], account: str, hold: str, host: str, expires: str, as_json: bool
) -> None:
    """Hold the mail of each DOMAIN for a site, and print the code by which that site joins.

    For a site that joined before, the code lets it do so once more; its old password is good until then.
    """
    from worldmail.app.inviting import Asked, Invited
    from worldmail.cli.running import run

    seconds = read_duration("--expires", expires, 60, 366 * 86400)
    asked = Asked(domains=domain, account=account, hold=hold, host=host, seconds=seconds)

    made: Invited = run(configuration(ctx), lambda parts: parts.inviting.invite(asked))
    until = _moment(made.invitation.expires)
    notes = [*made.notes]
    if not made.submission:
        notes.append("this server has no listener for submission: the site cannot send its mail through it")
    text = _INVITED.format(domains=", ".join(made.invitation.domains), until=until, code=made.code)
    show_done(
        as_json,
        "\n".join([*notes, text]),
        code=made.code,
        hold=made.invitation.hold,
        account=made.invitation.account,
        domains=list(made.invitation.domains),
        expires=made.invitation.expires,
        notes=notes,
    )


@relay.command()
@json_option
@click.pass_context
def invites(ctx: click.Context, as_json: bool) -> None:
    """List the invitations that were not used yet. Their codes are shown once, when they are made."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.inviting.invitations())
    rows: list[dict[str, Any]] = [
        {"hold": one.hold, "domains": list(one.domains), "account": one.account, "expires": one.expires}
        for one in found
    ]
    if not as_json:
        rows = [{**row, "expires": _moment(row["expires"])} for row in rows]
    show_rows(as_json, ("hold", "domains", "account", "expires"), rows)


@relay.command()
@click.argument("hold")
@json_option
@click.pass_context
def revoke(ctx: click.Context, hold: str, as_json: bool) -> None:
    """Take back the invitation for HOLD."""
    from worldmail.cli.running import run

    run(configuration(ctx), lambda parts: parts.inviting.revoke(hold))
    show_done(as_json, f"the code for {hold} is good for nothing any more", revoked=hold)


@relay.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the sites that have joined."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.inviting.sites())
    rows = [_fields(one) for one in found]
    if not as_json:
        rows = [{**row, "joined": _moment(row["joined"])} for row in rows]
    show_rows(as_json, ("name", "domains", "account", "joined"), rows)


@relay.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one site, and how many recipients it told of."""
    from worldmail.cli.running import run

    async def look(parts: Parts) -> dict[str, Any]:
        from worldmail.errors import NoSuchThing

        for one in await parts.inviting.sites():
            if one.name == name.lower():
                counts = await parts.recipients.counts()
                listed = {domain: counts.get(domain) for domain in one.domains}
                return {**_fields(one), "recipients": listed}
        raise NoSuchThing(f"there is no site {name}")

    fields = run(configuration(ctx), look)
    if not as_json:
        told = [f"{domain} {'everybody' if count is None else count}" for domain, count in fields["recipients"].items()]
        fields = {**fields, "joined": _moment(fields["joined"]), "recipients": told}
    show_fields(as_json, fields)


@relay.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """End it with a site: its account is switched off. Account, hold, what waits there and domains stay."""
    from worldmail.cli.running import run

    gone = run(configuration(ctx), lambda parts: parts.inviting.remove(name))
    sentence = f"removed {gone.name}: its account {gone.account} is off; its mail still waits in the hold {gone.name}"
    show_done(as_json, sentence, removed=gone.name, account=gone.account)


def _fields(one: Pair) -> dict[str, Any]:
    return {"name": one.name, "domains": list(one.domains), "account": one.account, "joined": one.joined}


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
