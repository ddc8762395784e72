"""`worldmail trace ID|ADDRESS|MESSAGE-ID`."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from worldmail.cli.main import configuration
from worldmail.cli.output import json_option, show_rows
from worldmail.interfaces.store import TraceRecord


@click.command()
@click.argument("key", metavar="ID|ADDRESS|MESSAGE-ID")
@json_option
@click.pass_context
def trace(ctx: click.Context, key: str, as_json: bool) -> None:
    """What happened to a message: by acceptance id, address of its envelope or of its account, or Message-ID."""
    from worldmail.cli.running import run

    found = run(configuration(ctx), lambda parts: parts.trace.find(key))
    if not found:
        raise click.ClickException(f"nothing is known of {key}")
    show_rows(as_json, ("at", "acceptance", "event", "detail"), [_row(record, as_json) for record in found])


def _row(record: TraceRecord, as_json: bool) -> dict[str, Any]:
    detail: Any = json.loads(record.detail)
    if not as_json and isinstance(detail, dict):
        detail = " ".join(f"{name}={_word(value)}" for name, value in detail.items())
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.at))
    return {"at": at, "acceptance": record.acceptance, "event": record.event, "detail": detail}


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
