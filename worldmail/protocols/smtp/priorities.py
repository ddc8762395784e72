"""Which priority a message gets: of what its client asked for in MAIL (RFC 6710 §4.1) or in a field (RFC 6758 §3.1).

Lower than the usual is everybody's to ask for. What is higher is for our users and for those whom we relay for; of
others it becomes the usual, 0, and they are told. The field MT-Priority stays in a message only where it says the same
as the priority that the message has: so whoever passes it on to a server that knows no priorities needs at most to
add one (RFC 6758 §3.3), and a signature over a field that is right stays good (§7.1).
"""

from __future__ import annotations

from attrs import frozen

from worldmail.errors import Refusal
from worldmail.interfaces.policy import Asker
from worldmail.mail.header import Header
from worldmail.mail.mime.comments import without_comments
from worldmail.protocols.smtp.asked import priority
from worldmail.wire.networks import NetworkSet

FIELD = b"mt-priority"


@frozen(kw_only=True)
class Priorities:
    """The rule for one client.

    Args:
        trusted: networks that we relay for.
        lowest: the lowest priority that is taken now, by submission; -9 for all.
    """

    asker: Asker
    trusted: NetworkSet
    lowest: int

    def granted(self, asked: int) -> int:
        """What it gets. Raises `Refusal`: 450 4.7.15, if mail of that priority is not taken now (RFC 6710 §4.1)."""
        given = asked if asked <= 0 or self.asker.account is not None or self.asker.within(self.trusted) else 0
        if given < self.lowest and self.asker.role == "submission":
            text = f"Mail of priority {given} is not taken now, only from {self.lowest} on"
            raise Refusal(text, code=450, enhanced="4.7.15")
        return given


def told(given: int) -> str:
    """What is said of another priority than was asked for, with 2.3.6: it begins with the new one (RFC 6710 §4.1)."""
    return f"{given} is the priority of the message, more is for users of ours"


def tunnelled(header: Header) -> int | None:
    """What the one MT-Priority field of a message says; None if there are more, or none that can be read.

    priority-header-field = "MT-Priority:" [CFWS] priority-value [CFWS] CRLF          RFC 6758 §4
    """
    if header.count(FIELD) != 1:
        return None
    try:
        return priority(without_comments(header.values(FIELD)[0]).strip().decode("latin-1"))
    except ValueError:
        return None
