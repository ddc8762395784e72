"""The server under the watchdog, whose SMTP client waits seconds for what it waits minutes for otherwise."""

from __future__ import annotations

from typing import Any

import attrs

from worldmail.app import outgoing
from worldmail.protocols.smtp.client.means import Means, Patience

SECONDS = 3.0

means = outgoing.make_means


def hurried(*args: Any) -> Means:
    """As it is, but for the limits of time."""
    limits = {one.name: min(SECONDS, one.default) for one in attrs.fields(Patience)}
    return attrs.evolve(means(*args), patience=Patience(**limits))


outgoing.make_means = hurried

import watchdog  # noqa: E402, F401  this runs the server
