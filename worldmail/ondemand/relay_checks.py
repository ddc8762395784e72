"""What an administrator is told of domains whose mail a site fetches, while they have no list of recipients."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.pairs import End
from worldmail.ondemand.pair_entries import INVITES, PAIRS, read_invitations, read_pair

_JOINED = (
    "its site has told nobody yet, or takes everybody itself (an alias *@{domain} there): until it tells more, mail"
    " for everybody is taken"
)
_INVITED = "mail for everybody is taken until its site has joined (worldmail relay invites) and tells whom it has"
_OVER = "mail for everybody is taken, and the invitation of its site is over: worldmail relay invite {domain}"


def sites_to_tell(cursor: Cursor, now: float) -> dict[str, str]:
    """By the name of a hold, what is to be said of its domains ({domain}) where a site is to tell whom it has."""
    found = {}
    for invitation in read_invitations(INVITES.all(cursor)):
        found[invitation.hold] = _INVITED if invitation.expires > now else _OVER
    for pair in map(read_pair, PAIRS.all(cursor)):
        if pair.end is End.RELAY and pair.joined:
            found[pair.name] = _JOINED
    return found
