"""Pairs and invitations, as they are kept: rows of the table entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from worldmail.database.entries import Entries, Entry
from worldmail.errors import ConfigurationError
from worldmail.interfaces.pairs import End, Pair

PAIRS = Entries("pair")
"""At the relay under the name of the site's hold, at the site under what it calls its relay."""

INVITES = Entries("invite")
"""Under `join_code.secret_name` of their secrets."""


JOINING = Entries("joining")
"""At a site that has begun to join, under the same name as the invitation at the relay; sealed: its password."""


@frozen(kw_only=True)
class Invitation:
    """A site may join until `expires` (epoch seconds).

    Args:
        name: what it is kept under.
        hold, account, domains: see `Pair`.
        made: when.
    """

    name: str
    hold: str
    account: str
    domains: tuple[str, ...]
    made: int
    expires: int


def pair_entry(pair: Pair, code: str = "") -> Entry:
    """A pair as it is kept. `code`: what tells the one that a site joined by from others."""
    texts = {
        "end": pair.end.value,
        "account": pair.account,
        "domains": ",".join(pair.domains),
        "joined": str(pair.joined),
    }
    if pair.end is End.SITE:
        texts |= {
            "host": pair.host,
            "pins": ",".join(sorted(pair.pins)),
            "port": str(pair.port),
            "submission": str(pair.submission),
            "starttls": ",".join(map(str, sorted(pair.starttls))),
            "called": pair.called,
            "renews": "on" if pair.renews else "off",
            "renewed": str(pair.renewed),
            "code": code,
        }
    return Entry(pair.name, texts)


def read_pair(entry: Entry) -> Pair:
    """The pair that an entry is of. Raises `ConfigurationError`."""
    texts = entry.texts
    try:
        return Pair(
            name=entry.name,
            end=End(texts["end"]),
            account=texts["account"],
            domains=_split(texts, "domains"),
            joined=int(texts["joined"]),
            host=texts.get("host", ""),
            pins=frozenset(_split(texts, "pins")),
            port=int(texts.get("port", "0")),
            submission=int(texts.get("submission", "0")),
            starttls=frozenset(map(int, _split(texts, "starttls"))),
            called=texts.get("called", ""),
            renews=texts.get("renews") == "on",
            renewed=int(texts.get("renewed", "0")),
        )
    except (KeyError, ValueError):
        raise ConfigurationError(f"the pair {entry.name} cannot be read: it was made by another release") from None


def invite_entry(invitation: Invitation) -> Entry:
    """An invitation as it is kept."""
    return Entry(
        invitation.name,
        {
            "hold": invitation.hold,
            "account": invitation.account,
            "domains": ",".join(invitation.domains),
            "made": str(invitation.made),
            "expires": str(invitation.expires),
        },
    )


def read_invitations(entries: Iterable[Entry]) -> list[Invitation]:
    """Those of these entries, the oldest first. Raises `ConfigurationError`."""
    return sorted(map(read_invitation, entries), key=lambda one: (one.made, one.name))


def read_invitation(entry: Entry) -> Invitation:
    """The invitation that an entry is of. Raises `ConfigurationError`."""
    texts = entry.texts
    try:
        return Invitation(
            name=entry.name,
            hold=texts["hold"],
            account=texts["account"],
            domains=_split(texts, "domains"),
            made=int(texts["made"]),
            expires=int(texts["expires"]),
        )
    except (KeyError, ValueError):
        raise ConfigurationError("an invitation cannot be read: it was made by another release") from None


def _split(texts: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(filter(None, texts.get(key, "").split(",")))
