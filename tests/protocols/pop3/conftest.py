"""POP3 servers in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from worldmail.testing.feeding import Conversation, converse, cuts, settle
from worldmail.testing.pop3 import Pop3Server


@pytest.fixture
def serve() -> Callable[..., Pop3Server]:
    """Makes servers: messages of bob's, then settings."""
    return Pop3Server.make


@pytest.fixture
def talk() -> Callable[..., Conversation]:
    """A whole conversation, cut in every way; each way has a server of its own, and all must agree."""

    def run(client_bytes: bytes, *messages: bytes, **options: Any) -> Conversation:
        agreed: Conversation | None = None
        for way, segments in cuts(client_bytes).items():
            server = Pop3Server.make(*messages, **options)
            conversation = settle(converse(server.sessions(), segments, server.peer))
            agreed = agreed or conversation
            assert conversation == agreed, way
        assert agreed is not None
        return agreed

    return run
