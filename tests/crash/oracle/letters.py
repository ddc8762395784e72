"""Messages that can be told apart, made again, and compared octet for octet."""

from __future__ import annotations

import base64
import hashlib
import random

from attrs import frozen

TOKEN_HEADER = b"X-Token: "
_KIB = 1024


@frozen(kw_only=True)
class Letter:
    """One message of the load: `octets` as sent, before dot-stuffing, ending in CRLF."""

    token: str
    sender: str
    recipients: tuple[str, ...]
    octets: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the octets."""
        return hashlib.sha256(self.octets).digest()


def make_letter(token: str, sender: str, recipients: tuple[str, ...], size: int, chance: random.Random) -> Letter:
    """A letter of about `size` octets, all of them its own. Some lines begin with a dot."""
    head = (
        (
            f"From: <{sender}>\r\nTo: {', '.join(f'<{recipient}>' for recipient in recipients)}\r\n"
            f"Subject: load\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <{token}@load.test>\r\n"
        ).encode()
        + TOKEN_HEADER
        + f"{token}\r\n\r\n".encode()
    )
    text = base64.b64encode(chance.randbytes(max(60, (size - len(head)) * 3 // 4 - size // 80 * 3)))
    lines = [text[start : start + 76] for start in range(0, len(text), 76)]
    lines[::7] = [b"." + line for line in lines[::7]]
    return Letter(token=token, sender=sender, recipients=recipients, octets=head + b"\r\n".join([*lines, b""]))


def any_size(chance: random.Random) -> int:
    """1 KB to 2 MB: mostly small, as mail is, with enough large ones to fill content files."""
    kind = chance.random()
    if kind < 0.75:
        return chance.randrange(1 * _KIB, 6 * _KIB)
    if kind < 0.95:
        return chance.randrange(6 * _KIB, 200 * _KIB)
    return chance.randrange(200 * _KIB, 2048 * _KIB)


def stuffed(octets: bytes) -> bytes:
    """Dot-stuffed for DATA, without the final dot (RFC 5321 §4.5.2)."""
    return (b"\r\n" + octets).replace(b"\r\n.", b"\r\n..")[2:]


def token_of(octets: bytes) -> str | None:
    """The token in a message that was read back, from its header alone."""
    head, _, _ = octets.partition(b"\r\n\r\n")
    _, found, rest = (b"\r\n" + head).partition(b"\r\n" + TOKEN_HEADER)
    return rest.partition(b"\r\n")[0].decode("ascii", "replace") if found else None
