"""Replies as they go on the wire (RFC 5321 §4.2, RFC 2034).

Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
"""

from __future__ import annotations

MAXIMUM_TEXT = 480  # RFC 5321 §4.5.3.1.5: 512 octets with code, enhanced code and CRLF


def reply(code: int, enhanced: str, *lines: str) -> bytes:
    """A reply of one or more lines, each with its code and its enhanced code.

    Args:
        code: 220 to 555.
        enhanced: "2.1.0"; "" for the greeting, for EHLO and HELO, and for 3xx, which have none (RFC 2034 §4).
        lines: the text of each line. Whatever could end a line is taken out.
    """
    mark = f" {enhanced} " if enhanced else " "
    if len(lines) == 1:
        return f"{code}{mark}{_fit(lines[0])}\r\n".encode()
    mark = mark[1:]
    last = len(lines) - 1
    return "".join(
        f"{code}{' ' if number == last else '-'}{mark}{_fit(line)}\r\n" for number, line in enumerate(lines)
    ).encode()


def _fit(text: str) -> str:
    if len(text) <= MAXIMUM_TEXT and text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text[:MAXIMUM_TEXT])


OK = reply(250, "2.0.0", "Ok")
SENDER_OK = reply(250, "2.1.0", "Sender ok")
RECIPIENT_OK = reply(250, "2.1.5", "Recipient ok")
GO_AHEAD = reply(354, "", "End data with <CR><LF>.<CR><LF>")
CLOSING = reply(221, "2.0.0", "Bye")
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
REVERSING = reply(250, "2.0.0", "Ok, now reversing the connection")
SIGNED_IN = reply(235, "2.7.0", "Authentication successful")
