"""What servers repeat of what they were told: some answer a command that they do not know with all of it."""

from __future__ import annotations

import base64

HIDDEN = "***"


def without_password(words: str, user: str, password: str) -> str:
    """A server's words without the password: as it is, and as PLAIN (RFC 4616 §2) and LOGIN send it."""
    if not password:
        return words
    plain = f"\0{user}\0{password}"
    for secret in (_encoded(plain), _encoded(password), password):
        words = words.replace(secret, HIDDEN)
    return words


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
