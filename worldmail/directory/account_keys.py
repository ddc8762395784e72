"""The keys of an account that an administrator may set, one row a key.

A new key is one row here. A key with no column of its own is kept in the account's settings, a JSON object.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping

from attrs import frozen

from worldmail.config.units import octets
from worldmail.errors import BadValue
from worldmail.interfaces.database import Cursor

Value = int | str | None

_MAXIMUM_SIZE = 2**62
_MAXIMUM_NAME = 200


@frozen(kw_only=True)
class AccountKey:
    """One key of `set_account`.

    Args:
        key: its name.
        meaning: one sentence for the administrator.
        takes: what a value looks like.
        parse: the value of a text; ValueError if it is none.
        store: puts the value into the account's row.
        ends_sessions: it changes credentials, rights or state, so that whoever is signed in has to sign in again.
    """

    key: str
    meaning: str
    takes: str
    parse: Callable[[str], Value]
    store: Callable[[Cursor, int, Value], None]
    ends_sessions: bool = True


def parse_changes(changes: Mapping[str, str]) -> list[tuple[AccountKey, Value]]:
    """The rows and values that `changes` name. Raises `BadValue` for an unknown key or a value that is none."""
    return [_parse(key, text) for key, text in changes.items()]


def _parse(key: str, text: str) -> tuple[AccountKey, Value]:
    row = ACCOUNT_KEYS.get(key)
    if row is None:
        raise BadValue(f"no key {key!r}; there are: {', '.join(ACCOUNT_KEYS)}")
    try:
        return row, row.parse(text.strip())
    except ValueError:
        raise BadValue(f"{key} takes {row.takes}") from None


def size_or_none(text: str) -> int | None:
    """Octets; None for "none". Raises ValueError."""
    if text.lower() == "none":
        return None
    size = octets(text)
    if size > _MAXIMUM_SIZE:
        raise ValueError
    return size


def _switch(text: str) -> Value:
    if text.lower() not in ("on", "off"):
        raise ValueError
    return int(text.lower() == "on")


def person_name(text: str) -> str:
    """A name fit to be shown in one line. Raises ValueError."""
    text = unicodedata.normalize("NFC", text)
    if len(text) > _MAXIMUM_NAME or any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
        raise ValueError
    return text


def _column(statement: str) -> Callable[[Cursor, int, Value], None]:
    def store(cursor: Cursor, account_id: int, value: Value) -> None:
        cursor.run(statement, (value, account_id))

    return store


def _setting(key: str) -> Callable[[Cursor, int, Value], None]:
    def store(cursor: Cursor, account_id: int, value: Value) -> None:
        row = cursor.one("SELECT settings FROM account WHERE id = ?", (account_id,))
        settings = {} if row is None else json.loads(row[0])
        settings[key] = "on" if value else "off"
        cursor.run("UPDATE account SET settings = ? WHERE id = ?", (json.dumps(settings, sort_keys=True), account_id))

    return store


def _legacy(cursor: Cursor, account_id: int, value: Value) -> None:
    if not value:
        cursor.run("UPDATE account SET legacy_secret = NULL WHERE id = ?", (account_id,))
    elif cursor.one("SELECT 1 FROM account WHERE id = ? AND legacy_secret IS NOT NULL", (account_id,)) is None:
        raise BadValue("legacy-auth=on needs a secret of its own, which has to be made for it")


def _permission(key: str, what: str) -> AccountKey:
    return AccountKey(
        key=key,
        meaning=f"Whether IMAP clients may {what}.",
        takes="on or off",
        parse=_switch,
        store=_setting(key),
    )


A_SIZE = "a size such as 200MiB, 2GB or a number of octets, or none"

ACCOUNT_KEYS: Mapping[str, AccountKey] = {
    row.key: row
    for row in (
        AccountKey(
            key="quota",
            meaning="How much mail the account may hold in all its mailboxes; none sets no bound.",
            takes=A_SIZE,
            parse=size_or_none,
            store=_column("UPDATE account SET quota = ? WHERE id = ?"),
            ends_sessions=False,
        ),
        AccountKey(
            key="max-message",
            meaning="The largest message that the account takes; none leaves it to the site.",
            takes=A_SIZE,
            parse=size_or_none,
            store=_column("UPDATE account SET max_message = ? WHERE id = ?"),
            ends_sessions=False,
        ),
        AccountKey(
            key="legacy-auth",
            meaning="Whether CRAM-MD5 and APOP are allowed, with a secret of their own; off forgets that secret.",
            takes="on or off",
            parse=_switch,
            store=_legacy,
        ),
        AccountKey(
            key="enabled",
            meaning="Whether the account may sign in and gets mail; off refuses its mail with 550 5.2.1.",
            takes="on or off",
            parse=_switch,
            store=_column("UPDATE account SET enabled = ? WHERE id = ?"),
        ),
        AccountKey(
            key="name",
            meaning="The person's name, for people to read.",
            takes=f"one line of at most {_MAXIMUM_NAME} characters",
            parse=person_name,
            store=_column("UPDATE account SET name = ? WHERE id = ?"),
            ends_sessions=False,
        ),
        _permission("imap-create", "create mailboxes"),
        _permission("imap-rename", "rename mailboxes"),
        _permission("imap-delete", "delete mailboxes"),
    )
}
