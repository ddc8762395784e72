"""`worldmail tap`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_done


@click.command()
@click.option("-o", "--output", default="worldmail.tap", type=click.Path(dir_okay=False), help="The file to write.")
@json_option
@click.pass_context
def tap(ctx: click.Context, output: str, as_json: bool) -> None:
    """Write a pickled application for `twistd -n -o -f FILE`. It holds the path of the configuration alone."""
    from twisted.persisted import sob

    from worldmail.app.tap import application

    where = configuration(ctx)
    target = Path(os.path.abspath(output))
    persistable: Any = sob.IPersistable(application(str(where)))
    try:
        persistable.save(filename=str(target))
    except OSError as error:  # names a temporary file beside it
        raise click.FileError(str(target), error.strerror) from None
    show_done(as_json, f"wrote {target}", tap=str(target), config=str(where))
