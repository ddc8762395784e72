"""What a client's exchange is."""

from __future__ import annotations

from typing import Protocol

MAXIMUM_CHALLENGE = 8192


class ExchangeFailed(Exception):
    """The server said what no honest server says, or did not prove what it must; the text says what (ASCII)."""


class Exchange(Protocol):
    """One run of one mechanism, as the client.

    Attributes:
        mechanism: its name, in upper case.
        proven: True once nothing is left that the server must prove. Before that its "success" is none.
        speaks_first: the mechanism begins with a response of the client's, which may go with the command.
    """

    mechanism: str
    proven: bool
    speaks_first: bool

    async def respond(self, challenge: bytes) -> bytes:
        """The response to a challenge, neither in base64; to b"" it is the initial one, if it speaks first.

        Raises: ExchangeFailed.
        """
