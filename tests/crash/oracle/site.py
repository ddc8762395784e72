"""Where the load goes: addresses, password, ports."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Site:
    """A server as its clients see it."""

    accounts: tuple[str, ...]
    password: str
    smtp_port: int
    pop3_port: int
    imap_port: int
    host: str = "127.0.0.1"
