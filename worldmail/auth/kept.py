"""What is kept of an account's credentials, as the checkers read it."""

from __future__ import annotations

from attrs import field, frozen

from worldmail.interfaces.auth import PasswordCredentials, ScramKey
from worldmail.interfaces.database import Cursor


@frozen(kw_only=True)
class Kept:
    """One account's row: `hash` is argon2id, `sealed` the legacy secret or None."""

    hash: str = field(repr=False)
    sealed: bytes | None = field(repr=False)
    generation: int
    enabled: bool


def read_kept(cursor: Cursor, account_id: int) -> Kept | None:
    """A unit of work: what is kept for this account; None if it is gone (or never was)."""
    row = cursor.one("SELECT password, legacy_secret, generation, enabled FROM account WHERE id = ?", (account_id,))
    if row is None:
        return None
    sealed = None if row[1] is None else bytes(row[1])
    return Kept(hash=row[0], sealed=sealed, generation=row[2], enabled=row[3] == 1)


def read_scram_key(cursor: Cursor, account_id: int, hash_name: str) -> ScramKey | None:
    """A unit of work: the account's SCRAM key for this hash, if it may sign in with it."""
    row = cursor.one(
        "SELECT k.salt, k.iterations, k.stored_key, k.server_key FROM scram_key k"
        " JOIN account a ON a.id = k.account_id WHERE k.account_id = ? AND k.hash = ? AND a.enabled = 1",
        (account_id, hash_name),
    )
    if row is None:
        return None
    return ScramKey(hash=hash_name, salt=row[0], iterations=row[1], stored_key=row[2], server_key=row[3])


def has_other_iterations(cursor: Cursor, account_id: int, iterations: int) -> bool:
    """A unit of work: whether a SCRAM key of the account was made with another iteration count."""
    row = cursor.one("SELECT 1 FROM scram_key WHERE account_id = ? AND iterations <> ?", (account_id, iterations))
    return row is not None


def replace_hash(cursor: Cursor, account_id: int, outdated: str, made: PasswordCredentials) -> None:
    """A unit of work: the same password, hashed anew; nothing if it was changed meanwhile.

    No right changes, so the generation does not grow.
    """
    changed = cursor.run(
        "UPDATE account SET password = ? WHERE id = ? AND password = ?", (made.hash, account_id, outdated)
    )
    if not changed:
        return
    cursor.run("DELETE FROM scram_key WHERE account_id = ?", (account_id,))
    cursor.run_many(
        "INSERT INTO scram_key (account_id, hash, salt, iterations, stored_key, server_key) VALUES (?, ?, ?, ?, ?, ?)",
        [(account_id, key.hash, key.salt, key.iterations, key.stored_key, key.server_key) for key in made.scram],
    )
