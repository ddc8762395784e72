"""`worldmail`: the options before the noun, and how every command ends."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from worldmail import __version__
from worldmail.errors import ConfigurationError, Refusal, WorldMailError

NOUNS = {
    "agent": "worldmail.cli.agent:agent",
    "alias": "worldmail.cli.alias:alias",
    "check": "worldmail.cli.check:check",
    "domain": "worldmail.cli.domain:domain",
    "folder": "worldmail.cli.folder:folder",
    "hold": "worldmail.cli.hold:hold",
    "init": "worldmail.cli.init:init",
    "join": "worldmail.cli.join:join",
    "link": "worldmail.cli.link:link",
    "queue": "worldmail.cli.queue:queue",
    "recipient": "worldmail.cli.recipient:recipient",
    "relay": "worldmail.cli.relay:relay",
    "route": "worldmail.cli.route:route",
    "search": "worldmail.cli.search:search",
    "tap": "worldmail.cli.tap:tap",
    "trace": "worldmail.cli.trace:trace",
    "unclaimed": "worldmail.cli.unclaimed:unclaimed",
    "user": "worldmail.cli.user:user",
}

DEFAULT_CONFIG = Path("worldmail-data", "worldmail.toml")


class Nouns(click.Group):
    """Imports a noun's module when the noun is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click."""
        return sorted(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click."""
        if cmd_name not in NOUNS:
            return None
        module, _, name = NOUNS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=Nouns)
@click.option(
    "--config",
    envvar="WORLDMAIL_CONFIG",
    type=click.Path(dir_okay=False),
    help="The configuration file (or the variable WORLDMAIL_CONFIG; else ./worldmail-data/worldmail.toml).",
)
@click.version_option(__version__, prog_name="worldmail")
@click.pass_context
def worldmail(ctx: click.Context, config: str | None) -> None:
    """Look after a WorldMail server. Commands work while the server runs and while it is stopped, but for those that
    have it do something now (agent run, link up, link down, link run)."""
    ctx.obj = config


def configuration(ctx: click.Context) -> Path:
    """The configuration file that this command is about. Ends with a usage error if none was named."""
    if ctx.obj is not None:
        return Path(os.path.abspath(ctx.obj))
    if DEFAULT_CONFIG.exists():
        return DEFAULT_CONFIG.absolute()
    raise click.UsageError("name the configuration: worldmail --config FILE ... (or set WORLDMAIL_CONFIG)")


def main() -> NoReturn:
    """The console script: one clear line and a status other than 0 on failure, never a traceback."""
    try:
        status = worldmail.main(prog_name="worldmail", standalone_mode=False)
    except click.UsageError as error:
        _fail_usage(error)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except WorldMailError as error:
        _fail(_sentence(error), 1)
    except UnicodeEncodeError as error:
        if error.reason != "surrogates not allowed":  # how octets that are no text come as arguments (PEP 383)
            raise
        _fail("an argument is not written in UTF-8", 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    sys.exit(status if isinstance(status, int) else 0)  # click gives the status of an Exit


def _fail_usage(error: click.UsageError) -> NoReturn:
    """One line as well, with where to read on; a noun alone is answered with its help."""
    text = error.format_message()
    if "\n" in text:
        error.show()
        sys.exit(2)
    path = "worldmail" if error.ctx is None else error.ctx.command_path
    _fail(f"{text.rstrip('.')} (see {path} --help)", 2)


def _sentence(error: WorldMailError) -> str:
    """One line: of several faults of a configuration the first."""
    if isinstance(error, ConfigurationError):
        first, *others = str(error).splitlines()
        return f"{first} (and {len(others)} more: `worldmail check` lists them)" if others else first
    if isinstance(error, Refusal):
        return f"{error.reply_text} ({error.reason})" if error.reason else error.reply_text
    return str(error)


def _fail(text: str, status: int) -> NoReturn:
    if "--json" in sys.argv:
        print(json.dumps({"error": text}), file=sys.stderr)
    else:
        print(f"worldmail: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(status)
