"""`worldmail domain add|list|set|remove`."""

from __future__ import annotations

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done, show_keys, show_rows
from worldmail.cli.values import read_settings_words
from worldmail.interfaces.directory import Domain

_TAKES_EVERYBODY = "; until it has a list of recipients it takes mail for everybody: worldmail recipient load {0}"
_SITE_TELLS = (
    "; mail for everybody there is taken until its site has the domain too, and tells whom it has there:"
    " worldmail domain add {0}"
)


@click.group()
def domain() -> None:
    """The domains that this server receives mail for."""


@domain.command()
@click.argument("name")
@click.option("--alias-of", metavar="DOMAIN", help="NAME is another name of this domain of ours.")
@click.option(
    "--kind",
    type=click.Choice(["local", "relay", "hold"]),
    help="local: its mailboxes are here (what holds if nothing is said); relay: its mail is handed on; hold: the same,"
    " but it waits until it is released or fetched.",
)
@click.option("--hold", "queue", metavar="NAME", help="The hold that its mail waits in, made if there is none.")
@json_option
@click.pass_context
def add(
    ctx: click.Context, name: str, alias_of: str | None, kind: str | None, queue: str | None, as_json: bool
) -> None:
    """Add a domain. It has no account yet, not even postmaster; a relay domain needs none."""
    if alias_of is not None and kind is not None:
        raise click.UsageError("another name of a domain is of that domain's kind: leave --kind away")
    if (kind == "hold") != (queue is not None):
        raise click.UsageError("a domain whose mail waits needs both: --kind hold --hold NAME")
    from worldmail.cli.running import Parts, run

    async def work(parts: Parts) -> tuple[Domain, str]:
        joining = None if queue is None else parts.holds.joining(queue)
        made = await parts.admin.add_domain(name, "relay" if kind == "hold" else kind or "local", alias_of, joining)
        sites = [] if queue is None else [one.name for one in await parts.inviting.sites()]
        return made, _SITE_TELLS if queue is not None and queue.lower() in sites else _TAKES_EVERYBODY

    made, words = run(configuration(ctx), work)
    relay = made.kind == "relay" and made.alias_of is None
    sentence = f"added {made.name}{words.format(made.name) if relay else ''}"
    show_done(as_json, sentence, name=made.name, kind=made.kind, alias_of=made.alias_of)


@domain.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List all domains."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.admin.domains())
    rows = [{"name": one.name, "kind": one.kind, "alias_of": one.alias_of, "quota": one.quota} for one in found]
    show_rows(as_json, ("name", "kind", "alias_of", "quota"), rows)


@domain.command("set")
@click.argument("name", required=False)
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@json_option
@click.pass_context
def set_(ctx: click.Context, name: str | None, words: tuple[str, ...], as_json: bool) -> None:
    """Set keys of a domain. Without any, list the keys and what they mean."""
    from worldmail.cli.running import run
    from worldmail.directory.domain_keys import DOMAIN_KEYS

    if name is None or not words:
        show_keys(as_json, DOMAIN_KEYS.values())
        return
    changes = read_settings_words(words)
    found = run(configuration(ctx), lambda parts: parts.admin.set_domain(name, changes))
    show_done(as_json, f"set {' '.join(words)} for {found.name}", name=found.name, quota=found.quota)


@domain.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove a domain that holds no account; its aliases, or its list of recipients, go with it.

    The hold that its mail waits in names it no more, unless it is for no other; what waits there goes on waiting.
    """
    from worldmail.cli.running import run

    run(configuration(ctx), lambda parts: parts.admin.remove_domain(name))
    show_done(as_json, f"removed {name}", removed=name)
